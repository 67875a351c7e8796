package howto

import (
	"errors"
	"net/http"
)

// ChangePassword asks for the present password, stores the new one, and ends all other
// sessions of the user.
func (a *App) ChangePassword(w http.ResponseWriter, r *http.Request, s *Session) {
	user, err := a.Users.Authenticate(r.Context(), s.Data().Name, r.FormValue("present"))
	switch {
	case errors.Is(err, ErrCredentials):
		http.Error(w, "wrong password", http.StatusForbidden)
		return
	case err != nil:
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if err := a.Users.SetPassword(r.Context(), user.ID, r.FormValue("password")); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if err := s.Login(r.Context(), user.Owner()); err != nil { // a new id for this session too
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if _, err := a.Sessions.RevokeOwner(r.Context(), user.Owner(), s); err != nil {
		http.Error(w, "the password is changed; some devices are still logged in: try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
