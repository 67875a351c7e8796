package web

import (
	"net/http"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// home says who is logged in, or how to be.
func (a *App) home(w http.ResponseWriter, r *http.Request, s *Session) {
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, http.StatusOK, struct {
			User   *users.User `json:"user"`
			Routes []string    `json:"routes"`
		}{s.Data().User, []string{"POST /register", "POST /login", "GET /me", "POST /password", "POST /logout", "GET /sessions", "GET /sessions/events", "POST /sessions/{session}/logout", "POST /sessions/logout-others", "GET /events", "GET /healthz"}})
		return
	}
	if s.Data().User != nil {
		seeOther(w, "/me")
		return
	}
	a.writePage(w, r, http.StatusOK, view{
		Title:   "Welcome",
		Lead:    "A login that stays on the server. Make an account, or log in to yours.",
		Actions: []link{{Text: "Sign up", URL: "/register"}, {Text: "Log in", URL: "/login"}},
	})
}

// me says who is logged in.
func (a *App) me(w http.ResponseWriter, r *http.Request, s *Session) {
	d := s.Data()
	switch {
	case d.User == nil:
		a.writeProblem(w, r, &notLoggedIn, loginView("", nil))
	case !wantsPage(r.Header):
		a.writeJSON(w, r, http.StatusOK, d.User)
	default:
		a.writePage(w, r, http.StatusOK, view{
			Title:   "Hello, " + d.User.Username,
			Notice:  notice(s),
			Account: &account{User: *d.User, Since: s.Created(), Expires: s.Expires()},
			Live:    endURL,
			User:    d.User.ID,
		})
	}
}

// notice is what the page before has left to be said, once.
func notice(s *Session) string {
	text := s.Data().Notice
	if text != "" {
		s.Update(func(d *Account) { d.Notice = "" })
	}
	return text
}
