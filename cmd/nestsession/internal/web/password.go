package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

func (a *App) passwordPage(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	a.writePage(w, r, http.StatusOK, passwordView(*u, nil))
}

// password changes the password, and ends the sessions that the old one began
// (ASVS 7.4.3): all of the user's but this one, which gets a new id (ASVS 7.2.4).
func (a *App) password(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	refuse := func(p *problem) { a.writeProblem(w, r, p, passwordView(*u, p)) }
	in, p := readFields(w, r, "current_password", "new_password")
	if p != nil {
		refuse(p)
		return
	}
	wrong := map[string]string{}
	if in["current_password"] == "" {
		wrong["current_password"] = "enter your current password"
	}
	chosen, err := passwords.Choose(in["new_password"], u.Username)
	if err != nil {
		wrong["new_password"] = err.Error()
	}
	if p := invalid(wrong); p != nil {
		refuse(p)
		return
	}
	attempt, err := a.guard.Password(a.proxies.Address(r), u.ID)
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	err = a.users.ChangePassword(r.Context(), u.ID, in["current_password"], chosen)
	if errors.Is(err, users.ErrWrong) {
		refuse(&problem{Status: http.StatusForbidden, Text: "The password was not changed.",
			Fields: map[string]string{"current_password": "this is not your current password"}})
		return
	}
	attempt.Return()
	if err != nil {
		refuse(a.problemOf(r, err))
		return
	}
	a.passwordChanged(w, r, s, *u)
}

func (a *App) passwordChanged(w http.ResponseWriter, r *http.Request, s *Session, u users.User) {
	ended, err := a.endOthers(r.Context(), a.ownerOf(u.ID), s)
	if err == nil {
		err = s.Renew(r.Context())
	}
	if err != nil {
		a.log.ErrorContext(r.Context(), "password changed, but sessions may live on", slog.Int64("user", u.ID), slog.Any("error", err))
		a.writeProblem(w, r, &problem{Status: http.StatusServiceUnavailable, After: retrySession,
			Text: "The password is changed, but your other sessions could not be ended. Change it once more in a moment."},
			passwordView(u, nil))
		return
	}
	a.log.InfoContext(r.Context(), "password changed", slog.Int64("user", u.ID), slog.Int("ended", ended))
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, http.StatusOK, map[string]int{"ended_sessions": ended})
		return
	}
	s.Update(func(d *Account) { d.Notice = "Your password is changed. " + endedInWords(ended) })
	seeOther(w, "/me")
}

func endedInWords(n int) string {
	switch n {
	case 0:
		return "You were logged in nowhere else."
	case 1:
		return "You are logged out in the 1 other place where you were logged in."
	}
	return fmt.Sprintf("You are logged out in the %d other places where you were logged in.", n)
}

func passwordView(u users.User, p *problem) view {
	return view{
		Title: "Change password",
		Lead:  "You stay logged in here, and are logged out everywhere else.",
		Form:  passwordForm(u.Username, p),
		Links: []link{{Text: "Back to your account", URL: "/me"}},
		Live:  endURL,
	}
}
