package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/nestsession/session"
)

// A mobile app logs in, is given its token, and sends it in the header Authorization. When
// the session gets another id, the response has the new token in the header X-Session-Token.
func ExampleSession_Token() {
	type Account struct {
		User string `json:"user,omitempty"`
	}
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Header:  session.Header{Use: session.HeaderWins, Response: "X-Session-Token"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil { // once the password is checked
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		s.Update(func(a *Account) { a.User = "Ada" })
		token, err := s.Token(r.Context())
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, token)
	}))
	mux.HandleFunc("GET /me", accounts.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		fmt.Fprint(w, s.Data().User)
	}))
	mux.HandleFunc("POST /renew", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Renew(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))

	token := ""
	send := func(method, path string) string {
		r, w := httptest.NewRequest(method, "https://shop.test"+path, nil), httptest.NewRecorder()
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		mux.ServeHTTP(w, r)
		if changed := w.Header().Get("X-Session-Token"); changed != "" {
			token = changed
		}
		fmt.Println(method, path, "sets a cookie:", w.Header().Get("Set-Cookie") != "")
		return w.Body.String()
	}
	token = send("POST", "/login")
	before := token
	send("POST", "/renew")
	fmt.Println("the token has changed:", token != before)
	fmt.Println(send("GET", "/me"))
	// Output:
	// POST /login sets a cookie: false
	// POST /renew sets a cookie: false
	// the token has changed: true
	// GET /me sets a cookie: false
	// Ada
}

// How the user logged in is a part of the session.
func ExampleSession_AuthenticatedBy() {
	accounts, err := session.New[map[string]any](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	login := accounts.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		if err := s.Login(r.Context(), "user:42", "password", "totp"); err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.AuthenticatedBy())
	})
	login(httptest.NewRecorder(), httptest.NewRequest("POST", "https://shop.test/login", nil))
	// Output: [password totp]
}
