package session_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/nestsession/session"
)

// Member is what the session knows of who has logged in.
type Member struct {
	Name string `json:"name,omitempty"`
}

func signIn(w http.ResponseWriter, r *http.Request, s *session.Session[Member]) {
	name := r.FormValue("name") // once the password is checked
	if err := s.Login(r.Context(), "member:"+name); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(m *Member) { m.Name = name })
	http.Redirect(w, r, "/profile", http.StatusSeeOther) // saved before this is sent
}

func profile(w http.ResponseWriter, _ *http.Request, s *session.Session[Member]) {
	if s.Data().Name == "" {
		http.Error(w, "Log in first.", http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, "Hello, %s.\n", s.Data().Name)
}

func signOut(w http.ResponseWriter, r *http.Request, s *session.Session[Member]) {
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/profile", http.StatusSeeOther)
}

// Log in, be known, log out: each handler declares the session that it needs.
func Example() {
	sessions, err := session.New[Member](session.Config{
		Secrets: []string{"32 bytes of `openssl rand -base64 32`"},
		Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", sessions.HandlerFunc(signIn))
	mux.HandleFunc("GET /profile", sessions.HandlerFunc(profile))
	mux.HandleFunc("POST /logout", sessions.HandlerFunc(signOut))

	server := httptest.NewTLSServer(mux)
	defer server.Close()
	browser := server.Client()
	browser.Jar, err = cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/login", "/logout"} {
		resp, err := browser.PostForm(server.URL+path, url.Values{"name": {"Ada"}})
		if err != nil {
			log.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Print(string(page))
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// Hello, Ada.
	// Log in first.
}
