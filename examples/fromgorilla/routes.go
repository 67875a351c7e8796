package fromgorilla

import (
	"fmt"
	"net/http"
)

// Routes are the application, with those who come from gorilla taken over.
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
	flashes, err := Flashes(r.Context(), s)
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "%s %q %q", s.Data().User, s.Data().Roles, flashes)
}

func login(w http.ResponseWriter, r *http.Request, s *Session) {
	user := r.FormValue("user") // once its password is checked
	if err := s.Login(r.Context(), "user:"+user); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(a *Account) { a.User = user })
	AddFlash(s, "welcome back")
}

func logout(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}
