package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// ownerOf is whose a user's sessions are, in the session store.
func ownerOf(id int64) string { return "user:" + strconv.FormatInt(id, 10) }

// signIn makes the session that of a user who has just shown the password, and saves it:
// under a new id, so that what was known of the old one is worth nothing (ASVS 7.2.4;
// fixation, CVE-2022-25896), and no stream that was opened under it goes on.
func (a *App) signIn(ctx context.Context, s *Session, l users.Login, device string) error {
	if err := s.Regenerate(ctx); err != nil {
		return fmt.Errorf("%w: %w", errSession, err)
	}
	s.SetOwner(ownerOf(l.User.ID))
	at := a.now().UnixMilli()
	s.Update(func(d *Account) {
		*d = Account{User: &l.User, Generation: l.Generation, Authenticated: at, Device: device}
	})
	if err := s.Save(ctx); err != nil {
		return fmt.Errorf("%w: %w", errSession, err)
	}
	return nil
}

// authenticatedAt is when the user of the session last showed the password.
func authenticatedAt(d Account) time.Time { return time.UnixMilli(d.Authenticated) }

// login is the one that began the session.
func (d *Account) login() users.Login { return users.Login{User: *d.User, Generation: d.Generation} }

// declared passes on sessions that hold: of nobody, or of a user whose account is there,
// is not disabled and has the password with which the session began. Any other is ended
// here. So what an account's row says counts on every server with the next request,
// whatever became of the one that changed it (ASVS 7.4.2, 7.4.3; GO-2026-5414).
func (a *App) declared(next func(http.ResponseWriter, *http.Request, *Session)) func(http.ResponseWriter, *http.Request, *Session) {
	return func(w http.ResponseWriter, r *http.Request, s *Session) {
		if _, err := a.recheck(r.Context(), s); err != nil {
			a.writeProblem(w, r, a.problemOf(r, err), view{Title: "Not available", Links: toStart})
			return
		}
		next(w, r, s)
	}
}

// recheck ends a session that does not hold any more, and reports whether it did.
func (a *App) recheck(ctx context.Context, s *Session) (ended bool, err error) {
	d := s.Data()
	if d.User == nil {
		return false, nil
	}
	current, err := a.users.Current(ctx, d.login())
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUsers, err)
	}
	if current {
		return false, nil
	}
	a.log.InfoContext(ctx, "session ended: the account is gone or disabled, or its password was changed",
		slog.Int64("user", d.User.ID), slog.String("session", s.Digest()))
	if err := s.Destroy(ctx); err != nil {
		return false, fmt.Errorf("%w: %w", errSession, err)
	}
	return true, nil
}

// enter makes the session that of a user. It returns [users.ErrWrong] if the account was
// changed after the password was found right, so that nobody is told to be logged in whom
// the next request throws out.
func (a *App) enter(r *http.Request, s *Session, l users.Login) error {
	ctx := r.Context()
	if err := a.signIn(ctx, s, l, deviceName(r.UserAgent())); err != nil {
		return err
	}
	current, err := a.users.Current(ctx, l)
	if err == nil && current {
		return nil
	}
	if err == nil {
		err = users.ErrWrong
	}
	return errors.Join(err, s.Destroy(ctx))
}
