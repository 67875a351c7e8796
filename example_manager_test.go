package session_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// New says of each field that cannot work what to write instead.
func ExampleNew() {
	type Account struct{ User string }
	_, err := session.New[Account](session.Config{
		Secrets: []string{"keyboard cat"},
		Name:    "__Host-shop",
		Cookie:  session.Cookie{Domain: "shop.test"},
	})
	fmt.Println(err)
	// Output:
	// session: Config.Secrets[0]: 12 bytes can be guessed; write at least 16, such as `openssl rand -base64 32` makes, or set InsecureShortSecrets to share cookies with an application that has it
	// session: Config.Cookie.Domain: browsers refuse a __Host- cookie with a Domain; leave it out, or write a Name that begins with __Secure-
}

// A handler declares the session that it needs as a parameter.
func ExampleManager_HandlerFunc() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	guests, err := session.New[Guest](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	counter := guests.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Guest]) {
		s.Update(func(g *Guest) { g.Visits++ })
		fmt.Fprintf(w, "visit %d", s.Data().Visits)
	})

	ada := visitor(counter)
	fmt.Println(ada("GET", "/"))
	fmt.Println(ada("GET", "/"))
	// Output:
	// visit 1
	// visit 2
}

// Handler is middleware for a whole site. A page that does not ask for the session
// costs the store nothing.
func ExampleManager_Handler() {
	type Guest struct {
		Language string `json:"language"`
	}
	guests, err := session.New[Guest](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /about", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Sessions are kept on the server.")
	})
	mux.HandleFunc("GET /language", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := guests.From(r.Context()); ok {
			s.Update(func(g *Guest) { g.Language = "ko" })
		}
	})
	site := guests.Handler(mux)

	for _, path := range []string{"/about", "/language"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest("GET", "https://shop.test"+path, nil))
		fmt.Println(path, "sets", len(w.Result().Cookies()), "cookies")
	}
	// Output:
	// /about sets 0 cookies
	// /language sets 1 cookies
}

// From finds the session wherever the request's context has got to: in a template's
// function, a resolver, a log line. Everybody in one request has the same one.
func ExampleManager_From() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	greet := func(r *http.Request) string {
		if s, ok := accounts.From(r.Context()); ok && s.Data().User != "" {
			return "Hello, " + s.Data().User
		}
		return "Hello, stranger"
	}
	page := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Fprintln(w, greet(r))
		s.Update(func(a *Account) { a.User = "Ada" })
		fmt.Fprintln(w, greet(r))
	})

	fmt.Print(visitor(page)("GET", "/"))
	// Output:
	// Hello, stranger
	// Hello, Ada
}

// Load tells apart what From does not: a route that the middleware was forgotten for,
// and a store that is down.
func ExampleManager_Load() {
	type Account struct{ User string }
	kept := memstore.New(memstore.Config{})
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Store:   kept,
	})
	if err != nil {
		log.Fatal(err)
	}
	page := func(w http.ResponseWriter, r *http.Request) {
		_, err := accounts.Load(r.Context())
		switch {
		case errors.Is(err, session.ErrNoHandler):
			fmt.Fprint(w, "no session here")
		case errors.Is(err, store.ErrClosed):
			fmt.Fprint(w, "never sent") // the client gets the error response whatever is written
		default:
			accounts.Load(r.Context())
			fmt.Fprint(w, "welcome")
		}
	}

	fmt.Println(visitor(http.HandlerFunc(page))("GET", "/"))
	ada := visitor(accounts.Handler(http.HandlerFunc(page)))
	fmt.Println(ada("GET", "/"))
	// Output:
	// no session here
	// welcome
}
