package fromscs

import (
	"fmt"
	"net/http"

	"github.com/nestsession/session"
)

// Session is what a handler is given.
type Session = session.Session[Account]

// Routes are the application, with those who come from scs taken over.
func Routes(t *Takeover) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", t.Sessions.HandlerFunc(me))
	mux.HandleFunc("POST /login", t.Sessions.HandlerFunc(login))
	mux.HandleFunc("POST /logout", t.Sessions.HandlerFunc(logout))
	return t.Handler(mux)
}

func me(w http.ResponseWriter, r *http.Request, s *Session) {
	if s.Data().User == "" {
		http.Error(w, "not logged in", http.StatusUnauthorized)
		return
	}
	s.Update(func(a *Account) { a.Visits++ })
	fmt.Fprintf(w, "%s, visit %d, cart %q", s.Data().User, s.Data().Visits, s.Data().Cart)
}

func login(w http.ResponseWriter, r *http.Request, s *Session) {
	user := r.FormValue("user") // once its password is checked
	if err := s.Login(r.Context(), "user:"+user); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(a *Account) { a.User = user })
}

func logout(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}
