package web

import (
	"fmt"
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// home shows the user, or a logged-out visitor how to log in.
func (a *App) home(w http.ResponseWriter, r *http.Request, s *Session) {
	t := text.For(r.Header)
	elsewhere := a.elsewhere(t, s)
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, http.StatusOK, struct {
			User      *users.User `json:"user"`
			Elsewhere string      `json:"elsewhere,omitempty"`
			Routes    []string    `json:"routes"`
		}{a.userOf(s), elsewhere, []string{"POST /register", "POST /login", "GET /me", "POST /password", "POST /logout", "GET /sessions", "GET /sessions/events", "POST /sessions/{session}/logout", "POST /sessions/logout-others", "GET /events", "GET /healthz"}})
		return
	}
	if a.userOf(s) != nil {
		seeOther(w, "/me")
		return
	}
	lead := t.WelcomeLead
	if elsewhere != "" {
		lead = fmt.Sprintf(t.Elsewhere, elsewhere)
	}
	a.writePage(w, r, http.StatusOK, view{
		Title:   t.Welcome,
		Lead:    lead,
		Actions: []link{{Text: t.SignUp, URL: "/register"}, {Text: t.LogIn, URL: "/login"}},
	})
}

// me says who is logged in.
func (a *App) me(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	switch {
	case u == nil:
		a.askToLogIn(w, r, s)
	case !wantsPage(r.Header):
		a.writeJSON(w, r, http.StatusOK, u)
	default:
		a.writePage(w, r, http.StatusOK, view{
			Title:   fmt.Sprintf(text.For(r.Header).Hello, u.Username),
			Notice:  notice(s),
			Account: &account{User: *u, Since: s.Created(), Expires: s.Expires()},
			Live:    endURL,
			User:    u.ID,
		})
	}
}

// notice returns the message that the previous request has left, and removes it.
func notice(s *Session) string {
	text := s.Data().Notice
	if text != "" {
		s.Update(func(d *Account) { d.Notice = "" })
	}
	return text
}
