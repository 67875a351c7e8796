package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/nestsession/session"
)

// A user may have two sessions. A third login ends the session with the oldest login.
func ExampleEndOldest() {
	m, err := session.New[account](session.Config{
		Secrets:     []string{"a secret of 16 bytes or more"},
		MaxPerOwner: session.EndOldest(2),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("GET /", m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		fmt.Fprintf(w, "%q", s.Owner())
	}))
	phone, laptop, tablet := visitor(mux), visitor(mux), visitor(mux)
	phone("POST", "/login")
	laptop("POST", "/login")
	tablet("POST", "/login")
	fmt.Println(phone("GET", "/"), laptop("GET", "/"), tablet("GET", "/"))
	// Output: "" "user:42" "user:42"
}

// A user may have one session. Another login is refused until that session has ended.
func ExampleRefuseLogin() {
	m, err := session.New[account](session.Config{
		Secrets:     []string{"a secret of 16 bytes or more"},
		MaxPerOwner: session.RefuseLogin(1),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		switch err := s.Login(r.Context(), "user:42"); {
		case errors.Is(err, session.ErrTooManySessions):
			http.Error(w, "log out on your other device first", http.StatusConflict)
		case err != nil:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "welcome")
		}
	}))
	mux.HandleFunc("POST /logout", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	phone, laptop := visitor(mux), visitor(mux)
	fmt.Print(phone("POST", "/login"))
	fmt.Print(laptop("POST", "/login"))
	phone("POST", "/logout")
	fmt.Print(laptop("POST", "/login"))
	// Output:
	// welcome
	// log out on your other device first
	// welcome
}
