package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/nestsession/session"
)

// SetOwner says whose session it is where no login does: Node has checked the password,
// or a session from before is taken over.
func ExampleSession_SetOwner() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	login := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
		s.SetOwner("user:42") // a name of the application's own choice
	})
	visitor(login)("POST", "/login") // at the desk
	visitor(login)("POST", "/login") // on the phone

	n := 0
	for _, err := range accounts.List(context.Background(), "user:42") {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(n, "sessions")
	// Output: 2 sessions
}

// A page "where you are logged in". It holds digests, which are safe to show and to
// send back, and no ids.
func ExampleManager_List() {
	type Account struct{ User string }
	now := time.Date(2026, time.May, 1, 9, 0, 0, 0, time.UTC)
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetOwner("user:42") // Login does it at a login
	}))
	mux.HandleFunc("GET /devices", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		for info, err := range accounts.List(r.Context(), s.Owner()) {
			if err != nil {
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintf(w, "since %s, this one: %v\n", info.Created.UTC().Format(time.Kitchen), info.Digest == s.Digest())
		}
	}))

	ada := visitor(mux)
	ada("POST", "/login")
	now = now.Add(time.Hour)
	visitor(mux)("POST", "/login") // on another device
	fmt.Print(ada("GET", "/devices"))
	// Unordered output:
	// since 9:00AM, this one: true
	// since 10:00AM, this one: false
}

// The user ends one session of the list: a telephone that was lost.
func ExampleManager_RevokeSession() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetOwner("user:42") // Login does it at a login
		if err := s.Save(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, s.Digest()) // as the page of the sessions would show it
	}))
	mux.HandleFunc("POST /end", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		// Whatever the form says, it ends none of another user's.
		if _, err := accounts.RevokeSession(r.Context(), s.Owner(), r.FormValue("digest")); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("GET /me", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Fprintf(w, "%q\n", s.Owner())
	}))

	desk, telephone := visitor(mux), visitor(mux)
	desk("POST", "/login")
	lost := telephone("POST", "/login")
	desk("POST", "/end?digest="+lost)
	fmt.Print("the desk: ", desk("GET", "/me"))
	fmt.Print("the telephone: ", telephone("GET", "/me"))
	// Output:
	// the desk: "user:42"
	// the telephone: ""
}

// When the password has changed, all other sessions of the user end.
func ExampleManager_RevokeOwner() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetOwner("user:42") // Login does it at a login
	}))
	mux.HandleFunc("POST /password", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		ended, err := accounts.RevokeOwner(r.Context(), s.Owner(), s) // without s: this one, too
		if err != nil {
			http.Error(w, "your other sessions may live on: try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, ended, "other sessions were ended")
	}))

	ada := visitor(mux)
	ada("POST", "/login")
	visitor(mux)("POST", "/login")
	visitor(mux)("POST", "/login")
	fmt.Print(ada("POST", "/password"))
	// Output: 2 other sessions were ended
}

// A store that shares its table with Node asks the document whose it is.
func ExampleOwnerOf() {
	fmt.Println(session.OwnerOf([]byte(`{"cookie":{"path":"/"},"user":{"name":"ada"},"__nestsession":{"owner":"user:42"}}`)))
	// Output: user:42
}
