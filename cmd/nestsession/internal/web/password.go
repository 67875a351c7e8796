package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

func (a *App) passwordPage(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	a.writePage(w, r, http.StatusOK, passwordView(text.For(r.Header), *u, nil))
}

// password changes the password, which ends all sessions that began with the old one (ASVS 7.4.3).
// This session continues under a new id (ASVS 7.2.4).
func (a *App) password(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	t := text.For(r.Header)
	refuse := func(p *problem) { a.writeProblem(w, r, p, passwordView(t, *u, p)) }
	in, p := readFields(w, r, "current_password", "new_password")
	if p != nil {
		refuse(p)
		return
	}
	wrong := map[string]string{}
	if in["current_password"] == "" {
		wrong["current_password"] = t.EnterCurrent
	}
	chosen, err := passwords.Choose(in["new_password"], u.Username)
	if err != nil {
		wrong["new_password"] = passwordText(t, err)
	}
	if p := invalid(t, wrong); p != nil {
		refuse(p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), passwords.MaxWait)
	defer cancel()
	attempt, err := a.guard.Password(ctx, a.proxies.Address(r), u.ID, u.Username)
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	defer attempt.Return()
	login, err := a.users.ChangePassword(ctx, u.ID, in["current_password"], chosen)
	if errors.Is(err, users.ErrWrong) {
		attempt.Wrong()
		refuse(&problem{Status: http.StatusForbidden, Text: t.NotChanged,
			Fields: map[string]string{"current_password": t.WrongCurrent}})
		return
	}
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	attempt.Right()
	a.passwordChanged(w, r, s, login)
}

// cleanTime limits the work after a change of the password, which goes on even if the client has
// disconnected.
const cleanTime = 20 * time.Second

// passwordChanged is called after the change, which has ended all sessions of the user: no request
// with them is answered any more. It removes the records of the other sessions, which ends their
// streams at once; if that fails the streams detect the end themselves, see [App.followAccount].
// This session begins anew, with the new password.
func (a *App) passwordChanged(w http.ResponseWriter, r *http.Request, s *Session, login users.Login) {
	t := text.For(r.Header)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cleanTime)
	defer cancel()
	ended, err := a.endOthers(ctx, a.ownerOf(login.User.ID), s)
	if err != nil {
		a.log.WarnContext(ctx, "password changed; the records of the ended sessions could not be deleted, and will expire", slog.Int64("user", login.User.ID), slog.Any("error", err))
	}
	// Last, since it ends the streams of this browser's other pages, which connect again with the
	// new cookie as soon as it is sent.
	failed := a.signIn(ctx, s, login)
	a.log.InfoContext(ctx, "password changed", slog.Int64("user", login.User.ID), slog.Int("ended", ended))
	switch {
	case failed != nil:
		a.log.ErrorContext(ctx, "password changed, but the user could not be logged in again", slog.Int64("user", login.User.ID), slog.Any("error", failed))
		p := problem{Status: http.StatusServiceUnavailable, After: retrySession,
			Text: t.ChangedLoggedOut}
		if word, ok := r.Context().Value(lastWordKey{}).(*lastWord); ok {
			word.problem = &p
		}
		a.writeProblem(w, r, &p, loginView(t, login.User.Username, "", nil))
	case !wantsPage(r.Header):
		a.writeJSON(w, r, http.StatusOK, map[string]int{"ended_sessions": ended})
	default:
		where := t.OutOfPlaces(ended)
		if err != nil {
			where = t.OutElsewhere
		}
		s.Update(func(d *Account) { d.Notice = t.Changed + " " + where })
		seeOther(w, "/me")
	}
}

func passwordView(t *text.Text, u users.User, p *problem) view {
	return view{
		Title: t.ChangePassword,
		Lead:  t.ChangeLead,
		Form:  passwordForm(t, u.Username, p),
		Links: []link{{Text: t.ToAccount, URL: "/me"}},
		Live:  endURL,
		User:  u.ID,
	}
}
