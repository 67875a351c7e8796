package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/nestsession/session"
)

// A connection that outlives its request must not outlive the login.
func ExampleSession_NotifyContext() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	open := make(chan context.Context, 1)
	stream := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		ctx, stop := s.NotifyContext(context.WithoutCancel(r.Context()))
		context.AfterFunc(ctx, stop) // a real handler stays, and calls stop when the client has gone
		open <- ctx
	})
	logout := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			log.Print(err)
		}
	})
	login := accounts.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
	})
	mux := http.NewServeMux()
	mux.Handle("/login", login)
	mux.Handle("/stream", stream)
	mux.Handle("/logout", logout)
	visit := visitor(mux)
	visit("POST", "/login")
	visit("GET", "/stream")
	visit("POST", "/logout")

	ctx := <-open
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	// Output: session: session has ended: destroyed
}

// Messages on a connection put the idle timeout off.
func ExampleSession_KeepAlive() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	socket := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
		if err := s.Save(r.Context()); err != nil {
			log.Print(err)
		}
		for _, message := range []string{"hello", "is anybody there?", "bye"} {
			if err := s.KeepAlive(r.Context()); err != nil {
				fmt.Println("the session has ended:", err)
				return
			}
			fmt.Println(message)
		}
	})
	visitor(socket)("GET", "/socket")
	// Output:
	// hello
	// is anybody there?
	// bye
}
