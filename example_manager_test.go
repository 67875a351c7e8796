package session_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/nestsession/session"
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
	// session: Config.Secrets[0]: 12 bytes can be guessed; write at least 16, such as `openssl rand -base64 32` makes, or set Express.InsecureShortSecrets to share cookies with an application that has it
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
		Visits int `json:"visits"`
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
	mux.HandleFunc("GET /shop", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := guests.From(r.Context()); ok {
			s.Update(func(g *Guest) { g.Visits++ })
		}
	})
	site := guests.Handler(mux)

	for _, path := range []string{"/about", "/shop"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest("GET", "https://shop.test"+path, nil))
		fmt.Println(path, "sets", len(w.Result().Cookies()), "cookies")
	}
	// Output:
	// /about sets 0 cookies
	// /shop sets 1 cookies
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

// Load tells apart what From does not: pages that have no session by design, and a
// store that is down.
func ExampleManager_Load() {
	type Cart struct {
		Items []string `json:"items"`
	}
	carts, err := session.New[Cart](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Cookie:  session.Cookie{Path: "/shop"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer carts.Close()

	site := carts.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := carts.Load(r.Context())
		switch {
		case errors.Is(err, session.ErrOutsidePath):
			fmt.Fprintln(w, "no cart on this page")
		case err != nil: // the client gets the error response, whatever is written here
			log.Print(err)
		default:
			fmt.Fprintln(w, len(s.Data().Items), "items in the cart")
		}
	}))

	ada := visitor(site)
	fmt.Print(ada("GET", "/imprint"))
	fmt.Print(ada("GET", "/shop/tea"))
	// Output:
	// no cart on this page
	// 0 items in the cart
}

// A framework that is not net/http's needs two calls: Open before the handler, Commit
// before the headers are sent. Here is one whose handlers return what is to be sent.
func ExampleManager_Open() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	guests, err := session.New[Guest](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	serve := func(handler func(*session.Session[Guest]) string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := guests.Open(r)
			if err != nil { // never an anonymous session in place of one that could not be loaded
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
			text := handler(s)
			if err := guests.Commit(r.Context(), s, w.Header()); err != nil {
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, text) // saved, and the cookie is in the header
		})
	}

	ada := visitor(serve(func(s *session.Session[Guest]) string {
		s.Update(func(g *Guest) { g.Visits++ })
		return fmt.Sprintf("visit %d", s.Data().Visits)
	}))
	fmt.Println(ada("GET", "/"))
	fmt.Println(ada("GET", "/"))
	// Output:
	// visit 1
	// visit 2
}

// A handler that goes on after the headers are sent is committed once more, without a
// header: what it has changed since is saved.
func ExampleManager_Commit() {
	type Export struct {
		Items []string `json:"items"`
	}
	exports, err := session.New[Export](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer exports.Close()

	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://shop.test/export", nil)
	s, err := exports.Open(r)
	if err != nil {
		log.Fatal(err)
	}
	s.SetOwner("member:ada") // so that there is something to save, and a cookie to send
	fmt.Println(exports.Commit(r.Context(), s, w.Header()), s.IsNew())

	for range 3 {
		io.WriteString(w, "a row\n")
		s.Update(func(e *Export) { e.Items = append(e.Items, "a row") })
	}
	fmt.Println(exports.Commit(r.Context(), s, nil), len(s.Data().Items))
	// Output:
	// <nil> false
	// <nil> 3
}

// A health check asks the store, and needs no session.
func ExampleManager_Ping() {
	type Account struct{ User string }
	kept := memstore.New(memstore.Config{})
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Store:   kept,
	})
	if err != nil {
		log.Fatal(err)
	}
	health := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := accounts.Ping(r.Context()); err != nil {
			http.Error(w, "the sessions' store does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})

	probe := visitor(health)
	fmt.Print(probe("GET", "/healthz"))
	kept.Close()
	fmt.Print(probe("GET", "/healthz"))
	// Output:
	// ok
	// the sessions' store does not answer
}

// A manager whose users are many gets more memory for the sessions that it has decoded.
func ExampleManager_SetCacheBytes() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	guests, err := session.New[Guest](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	guests.SetCacheBytes(1 << 30) // for some 600,000 sessions
	fmt.Println(session.DefaultCacheBytes>>20, "MiB by default")
	// Output: 104 MiB by default
}
