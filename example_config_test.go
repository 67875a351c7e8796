package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// An audit log. An event holds a digest that stands for the session, and no id.
func ExampleConfig_onEvent() {
	type Account struct{ User string }
	var audit []string
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		OnEvent: func(_ context.Context, e session.Event) {
			audit = append(audit, fmt.Sprintf("%s: %q %q", e.Kind, e.Owner, e.Reason)) // with e.Time and e.Digest
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("POST /logout", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))

	ada := visitor(mux)
	ada("POST", "/login")
	ada("POST", "/logout")
	forged := httptest.NewRequest("POST", "https://shop.test/logout", nil)
	forged.AddCookie(&http.Cookie{Name: "__Host-sid", Value: "s:guessed.signature"})
	mux.ServeHTTP(httptest.NewRecorder(), forged)
	for _, line := range audit {
		fmt.Println(line)
	}
	// Output:
	// created: "user:42" ""
	// logged in: "user:42" ""
	// destroyed: "user:42" ""
	// rejected: "" "bad signature"
}

// To rotate the secret, put the new one in front. A client whose cookie the old
// one signed is known, and gets a new cookie.
func ExampleConfig_secrets() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	serve := func(secrets ...string) http.Handler {
		guests, err := session.New[Guest](session.Config{Secrets: secrets, Store: kept})
		if err != nil {
			log.Fatal(err)
		}
		return guests.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Guest]) {
			s.Update(func(g *Guest) { g.Visits++ })
			fmt.Fprintln(w, "visit", s.Data().Visits)
		})
	}

	var site http.Handler
	ada := visitor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { site.ServeHTTP(w, r) }))
	site = serve("the secret of the last year")
	fmt.Print(ada("GET", "/"))
	site = serve("the secret from now on", "the secret of the last year")
	fmt.Print(ada("GET", "/"))
	site = serve("the secret from now on") // once the cookies of the old one have passed
	fmt.Print(ada("GET", "/"))
	// Output:
	// visit 1
	// visit 2
	// visit 3
}

// The cookie as a function of the request: a domain for each of several brands.
func ExampleConfig_cookieFunc() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	guests, err := session.New[Guest](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		CookieFunc: func(r *http.Request) session.Cookie {
			if r.Host == "tea.test" || r.Host == "www.tea.test" {
				return session.Cookie{Domain: "tea.test"}
			}
			return session.Cookie{SameSite: session.SameSiteStrict}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	count := guests.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Guest]) {
		s.Update(func(g *Guest) { g.Visits++ })
	})
	for _, site := range []string{"https://www.tea.test/", "https://cups.test/"} {
		w := httptest.NewRecorder()
		count(w, httptest.NewRequest("GET", site, nil))
		for _, c := range w.Result().Cookies() {
			fmt.Printf("%s domain=%q strict=%v\n", c.Name, c.Domain, c.SameSite == http.SameSiteStrictMode)
		}
	}
	// Output:
	// sid domain="tea.test" strict=false
	// sid domain="" strict=true
}

// Behind a proxy that ends TLS and sets X-Forwarded-Proto, the cookie is Secure and is sent.
func ExampleForwardedHTTPS() {
	type Guest struct {
		Visits int `json:"visits"`
	}
	guests, err := session.New[Guest](session.Config{
		Secrets:  []string{"a secret of 16 bytes or more"},
		IsSecure: session.ForwardedHTTPS,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer guests.Close()

	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	guests.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Guest]) {
		s.Update(func(g *Guest) { g.Visits++ })
	})(w, r)
	for _, c := range w.Result().Cookies() {
		fmt.Printf("%s secure=%v; trusted: %v\n", c.Name, c.Secure, session.ForwardedHTTPS(r))
	}
	// Output: __Host-sid secure=true; trusted: true
}

// The page that a client gets when its session could not be loaded or saved. The error
// is for the operator, who has it as an event too.
func ExampleConfig_errorHandler() {
	type Note struct {
		Items []string `json:"items"`
	}
	notes, err := session.New[Note](session.Config{
		Secrets:  []string{"a secret of 16 bytes or more"},
		MaxBytes: 200,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintln(w, "We could not keep that. Nothing has changed.")
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer notes.Close()

	keep := notes.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Note]) {
		text := fmt.Sprintf("%300s", "long")
		s.Update(func(n *Note) { n.Items = append(n.Items, text) })
		fmt.Fprintln(w, "Kept!") // never leaves
	})
	fmt.Print(visitor(keep)("POST", "/note"))
	// Output: We could not keep that. Nothing has changed.
}

// "Remember me": a lifetime for this session alone, in the browser and on the server.
func ExampleSession_SetMaxAge() {
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

	login := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = "Ada" })
		if r.FormValue("remember") != "" {
			s.SetMaxAge(14 * 24 * time.Hour)
		}
		fmt.Printf("server: %q\n", s.Expires().UTC().Format(http.TimeFormat))
	})
	for _, form := range []string{"/login", "/login?remember=on"} {
		w := httptest.NewRecorder()
		login(w, httptest.NewRequest("POST", "https://shop.test"+form, nil))
		for _, c := range w.Result().Cookies() {
			fmt.Printf("browser: %q\n", c.RawExpires)
		}
	}
	// Output:
	// server: "Sat, 02 May 2026 09:00:00 GMT"
	// browser: ""
	// server: "Fri, 15 May 2026 09:00:00 GMT"
	// browser: "Fri, 15 May 2026 09:00:00 GMT"
}

// A session whose user works in a page that another site frames needs SameSite=None;
// the others keep the stricter cookie.
func ExampleSession_SetCookie() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	embed := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		c := s.Cookie()
		c.SameSite, c.Partitioned = session.SameSiteNone, true
		s.SetCookie(c)
		s.Update(func(a *Account) { a.User = "Ada" })
	})
	w := httptest.NewRecorder()
	embed(w, httptest.NewRequest("GET", "https://shop.test/embed", nil))
	for _, c := range w.Result().Cookies() {
		fmt.Println(c.SameSite == http.SameSiteNoneMode, c.Partitioned)
	}
	// Output: true true
}

// With Seal the store holds data that only a request with the session's cookie can read.
// Operators see whose a session is, and can end it.
func ExampleConfig_seal() {
	type Account struct{ Diagnosis string }
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Store:   kept,
		Seal:    session.SealWrites,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.Diagnosis = "measles" })
	}))
	mux.HandleFunc("GET /", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Fprintf(w, "the user sees %q", s.Data().Diagnosis)
	}))
	ada := visitor(mux)
	ada("POST", "/login")
	fmt.Println(ada("GET", "/"))

	ctx := context.Background()
	for rec := range kept.List(ctx, "user:42") {
		fmt.Println("the store has the word:", strings.Contains(string(rec.Data), "measles"))
	}
	for info, err := range accounts.List(ctx, "user:42") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("an operator sees %q, sealed: %v\n", info.Data.Diagnosis, info.Sealed)
	}
	_, err = accounts.UpdateOwner(ctx, "user:42", func(a *Account) { a.Diagnosis = "" })
	fmt.Println("cannot be changed:", errors.Is(err, session.ErrSealed))
	ended, err := accounts.RevokeOwner(ctx, "user:42")
	fmt.Println("ended:", ended, err)
	// Output:
	// the user sees "measles"
	// the store has the word: false
	// an operator sees "", sealed: true
	// cannot be changed: true
	// ended: 1 <nil>
}
