package session_test

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session"
)

// A user may have two sessions. A third login ends the session with the oldest login.
func ExampleEndOldest() {
	m, err := session.New[account](session.Config{
		Secrets:     []string{secret},
		MaxPerOwner: session.EndOldest(2),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	login := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	owner := m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		fmt.Fprintf(w, "%q", s.Owner())
	})
	devices := []*client{newClient(), newClient(), newClient()}
	for _, device := range devices {
		device.get(login)
	}
	for _, device := range devices {
		fmt.Println(device.get(owner))
	}
	// Output:
	// 200 ""
	// 200 "user:42"
	// 200 "user:42"
}

// A user may have one session. Another login is refused until that has ended.
func ExampleRefuseLogin() {
	m, err := session.New[account](session.Config{
		Secrets:     []string{secret},
		MaxPerOwner: session.RefuseLogin(1),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	login := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		switch err := s.Login(r.Context(), "user:42"); {
		case errors.Is(err, session.ErrTooManySessions):
			http.Error(w, "log out on your other device first", http.StatusConflict)
		case err != nil:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	logout := m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_ = s.Destroy(r.Context())
	})
	phone, laptop := newClient(), newClient()
	fmt.Println(phone.get(login))
	fmt.Println(laptop.get(login))
	phone.get(logout)
	fmt.Println(laptop.get(login))
	// Output:
	// 200
	// 409 log out on your other device first
	// 200
}
