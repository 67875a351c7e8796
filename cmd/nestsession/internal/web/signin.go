package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// signIn makes the session that of a user who has just given the password, and saves it under a new
// id, so that the old id is invalid for anyone who knows it (ASVS 7.2.4; fixation, CVE-2022-25896),
// and streams that were opened under it end.
func (a *App) signIn(ctx context.Context, s *Session, l users.Login) error {
	owner := a.ownerOf(l.User.ID)
	// Data of other applications in the session stay, whoever was logged in here before.
	if before := s.Owner(); a.sharing == UsersApart && before != "" && before != owner {
		if err := a.release(ctx, s); err != nil {
			return fmt.Errorf("%w: %w", errSession, err)
		}
	}
	if err := s.Login(ctx, owner); err != nil {
		return fmt.Errorf("%w: %w", errSession, err)
	}
	a.setUser(s, Own{User: &l.User, Generation: l.Generation})
	if err := s.Save(ctx); err != nil {
		return fmt.Errorf("%w: %w", errSession, err)
	}
	return nil
}

// declared calls next with a valid session: one without a user, or of a user whose account exists,
// is not disabled and has the password with which the session began. It ends any other session. So
// a change of an account takes effect on every server with the next request, even if the server
// that made the change has failed since (ASVS 7.4.2, 7.4.3; GO-2026-5414).
func (a *App) declared(next func(http.ResponseWriter, *http.Request, *Session)) func(http.ResponseWriter, *http.Request, *Session) {
	return func(w http.ResponseWriter, r *http.Request, s *Session) {
		if _, err := a.recheck(r.Context(), s); err != nil {
			a.writeProblem(w, r, a.problemOf(r, err), a.unavailable(r))
			return
		}
		next(w, r, s)
	}
}

// recheck ends a session that is no longer valid, and reports whether it did.
func (a *App) recheck(ctx context.Context, s *Session) (ended bool, err error) {
	u := a.userOf(s)
	if u == nil {
		return false, nil
	}
	login, known := a.loginOf(s, u)
	if !known && a.sharing == UsersShared {
		return false, nil
	}
	current, err := a.users.Current(ctx, login)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUsers, err)
	}
	if current {
		return false, nil
	}
	a.log.InfoContext(ctx, "session ended: the account is deleted or disabled, or its password was changed",
		slog.Int64("user", u.ID), slog.String("session", s.Digest()))
	if err := a.leave(ctx, s); err != nil {
		return false, fmt.Errorf("%w: %w", errSession, err)
	}
	return true, nil
}

// enter makes the session that of a user. It returns [users.ErrWrong] if the account was changed
// after the password was found right, so that no answer says "logged in" to a client whose next
// request would be refused.
func (a *App) enter(r *http.Request, s *Session, l users.Login) error {
	ctx := r.Context()
	if err := a.signIn(ctx, s, l); err != nil {
		return err
	}
	current, err := a.users.Current(ctx, l)
	if err == nil && current {
		return nil
	}
	if err == nil {
		err = users.ErrWrong
	}
	return errors.Join(err, a.leave(ctx, s))
}
