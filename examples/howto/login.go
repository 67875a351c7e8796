package howto

import (
	"errors"
	"log/slog"
	"net/http"
)

// Login takes a name and a password from a form.
func (a *App) Login(w http.ResponseWriter, r *http.Request, s *Session) {
	user, err := a.Users.Authenticate(r.Context(), r.FormValue("name"), r.FormValue("password"))
	switch {
	case errors.Is(err, ErrCredentials):
		http.Error(w, "wrong name or password", http.StatusUnauthorized)
		return
	case err != nil:
		slog.ErrorContext(r.Context(), "login", "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if err := s.Login(r.Context(), user.Owner()); err != nil { // a new id, and the owner
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(d *Account) {
		d.User, d.Name, d.Admin = user.ID, user.Name, user.Admin
		d.Acting = Acting{}
	})
	http.Redirect(w, r, "/", http.StatusSeeOther) // the session is saved before this is sent
}

// Logout ends the session, on every node.
func (a *App) Logout(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// ForUsers calls a handler only for users who are logged in.
func (a *App) ForUsers(next func(http.ResponseWriter, *http.Request, *Session)) http.HandlerFunc {
	return a.Sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		if s.Owner() == "" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Cache-Control", "no-store") // the page is this user's
		next(w, r, s)
	})
}
