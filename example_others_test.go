package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"slices"

	"github.com/nestsession/session"
)

// A role is taken away in all sessions of a user, wherever they are in use.
func ExampleManager_UpdateOwner() {
	type Account struct {
		Roles []string `json:"roles,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetOwner("user:42") // Login does it at a login
		s.Update(func(a *Account) { a.Roles = []string{"editor", "admin"} })
	}))
	mux.HandleFunc("GET /me", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Fprintln(w, s.Data().Roles)
	}))
	desk, telephone := visitor(mux), visitor(mux)
	desk("POST", "/login")
	telephone("POST", "/login")

	changed, err := accounts.UpdateOwner(context.Background(), "user:42", func(a *Account) {
		a.Roles = slices.DeleteFunc(a.Roles, func(role string) bool { return role == "admin" })
	})
	if err != nil {
		log.Fatal(err) // some of them may still have the role: call it again
	}
	fmt.Println(changed, "sessions were changed")
	fmt.Print("the desk: ", desk("GET", "/me"))
	fmt.Print("the telephone: ", telephone("GET", "/me"))
	// Output:
	// 2 sessions were changed
	// the desk: [editor]
	// the telephone: [editor]
}

// An operator's tool changes one session of a user.
func ExampleManager_UpdateSession() {
	type Account struct {
		Device string `json:"device,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	visitor(accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetOwner("user:42")
		s.Update(func(a *Account) { a.Device = "Firefox on Linux" })
	}))("POST", "/login")

	ctx := context.Background()
	for info, err := range accounts.List(ctx, "user:42") {
		if err == nil {
			_, err = accounts.UpdateSession(ctx, info.Owner, info.Digest, func(a *Account) { a.Device = "the desk" })
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	for info := range accounts.List(ctx, "user:42") {
		fmt.Println(info.Data.Device)
	}
	// Output: the desk
}

// An operator ends the sessions of which something is known: here, those on an old program.
func ExampleManager_ListAll() {
	type Account struct {
		Device string `json:"device,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	for _, device := range []string{"app 1.0", "app 1.1", "app 1.0"} {
		visitor(accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
			s.Update(func(a *Account) { a.Device = device })
		}))("POST", "/begin")
	}

	ctx := context.Background()
	ended := 0
	for info, err := range accounts.ListAll(ctx) {
		if err == nil && info.Data.Device == "app 1.0" {
			err = accounts.Revoke(ctx, info)
			ended++
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("ended", ended)
	// Output: ended 2
}

// Of requests that come at the same moment, one gets the value.
func ExampleTake() {
	type Account struct {
		Flashes []string `json:"flashes,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /save", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Flashes = append(a.Flashes, "saved") })
	}))
	mux.HandleFunc("GET /page", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		messages, err := session.Take(r.Context(), s, func(a *Account) []string {
			messages := a.Flashes
			a.Flashes = nil
			return messages
		})
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, messages)
	}))

	ada := visitor(mux)
	ada("POST", "/save")
	fmt.Print(ada("GET", "/page"))
	fmt.Print(ada("GET", "/page"))
	// Output:
	// [saved]
	// []
}
