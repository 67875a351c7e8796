package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nestsession/session"
)

// Account is what the application keeps in a session.
type Account struct {
	User  *User  `json:"user,omitempty"`
	Theme string `json:"theme,omitempty"`
}

// User is a row of the users' table without the password.
type User struct {
	ID        int64     `json:"id"`
	Username  string    `json:"username"`
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	CreatedAt time.Time `json:"createdAt"`
}

// Session is the parameter of each handler.
type Session = session.Session[Account]

func routes(sessions *session.Manager[Account], users Users) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session", sessions.HandlerFunc(login(users)))
	mux.HandleFunc("GET /session", sessions.HandlerFunc(me))
	mux.HandleFunc("POST /session/regenerate", sessions.HandlerFunc(regenerate))
	mux.HandleFunc("DELETE /session", sessions.HandlerFunc(logout))
	mux.HandleFunc("GET /session/reload", sessions.HandlerFunc(reload))
	mux.HandleFunc("PUT /session/theme", sessions.HandlerFunc(save))
	mux.HandleFunc("GET /session/theme", sessions.HandlerFunc(theme))
	return mux
}

func login(users Users) func(http.ResponseWriter, *http.Request, *Session) {
	return func(w http.ResponseWriter, r *http.Request, s *Session) {
		var form struct{ Username, Password string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&form); err != nil {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		user, err := users.Find(r.Context(), form.Username, form.Password)
		if errors.Is(err, errNoUser) {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		if err := s.Login(r.Context(), fmt.Sprintf("user:%d", user.ID)); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = user })
		w.WriteHeader(http.StatusCreated)
	}
}

func me(w http.ResponseWriter, r *http.Request, s *Session) {
	if user := s.Data().User; user != nil {
		_ = json.NewEncoder(w).Encode(user)
	}
}

func regenerate(w http.ResponseWriter, r *http.Request, s *Session) {
	user, owner := s.Data().User, s.Owner()
	if err := s.Regenerate(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if user != nil {
		s.SetOwner(owner) // s is the new session now, and empty
		s.Update(func(a *Account) { a.User = user })
	}
	w.WriteHeader(http.StatusNoContent)
}

func logout(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}

func reload(w http.ResponseWriter, r *http.Request, s *Session) {
	if err := s.Reload(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	me(w, r, s) // s now has the stored data
}

func save(w http.ResponseWriter, r *http.Request, s *Session) {
	var form struct{ Theme string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&form); err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	s.Update(func(a *Account) { a.Theme = form.Theme })
	if err := s.Save(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/session/theme", http.StatusSeeOther)
}

func theme(w http.ResponseWriter, r *http.Request, s *Session) {
	fmt.Fprint(w, s.Data().Theme)
}
