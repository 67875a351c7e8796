package sessiontest_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/sessiontest"
)

// A function that takes a session, without HTTP.
func ExampleNew() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	greeting := func(s *session.Session[Account]) string { return "Hello, " + s.Data().User }

	var t testing.T // in a test: its own t

	s := sessiontest.New(&t, Account{User: "Ada"})
	fmt.Println(greeting(s))
	// Output: Hello, Ada
}

// A handler with a request of a logged-in user.
func ExampleAttach() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{"the application's secret"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	me := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Fprintf(w, "%s, %s", s.Owner(), s.Data().User)
	})

	var t testing.T // in a test: its own t

	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://example.com/me", nil)
	sessiontest.Attach(&t, sessions, r, Account{User: "Ada"}, "user:42")
	me(w, r)
	fmt.Println(w.Body)
	// Output: user:42, Ada
}

// The client's session after a login.
func ExampleAfter() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{"the application's secret"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	login := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		user := r.FormValue("user")
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = user })
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})

	var t testing.T // in a test: its own t

	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://example.com/login?user=Ada", nil)
	login(w, r)
	s := sessiontest.After(&t, sessions, r, w.Result())
	fmt.Println(s.IsNew(), s.Data().User)
	// Output: false Ada
}

// The cookie in the response to a logout.
func ExampleCookie() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{"the application's secret"}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	logout := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})

	var t testing.T // in a test: its own t

	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://example.com/logout", nil)
	sessiontest.Attach(&t, sessions, r, Account{User: "Ada"}, "user:42")
	logout(w, r)
	c := sessiontest.Cookie(&t, sessions, w.Result())
	fmt.Printf("%s=%q until %d\n", c.Name, c.Value, c.Expires.Year())
	// Output: __Host-sid="" until 1970
}
