package howto

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	"github.com/nestsession/session"
)

// TokenConfig lets clients that are not browsers send a token in the header Authorization.
// Browsers have their cookies as before.
func TokenConfig(secret string) session.Config {
	return session.Config{
		Secrets: []string{secret},
		Header: session.Header{
			Use:      session.HeaderWins, // if a request has both, the cookie is not read
			Response: "X-Session-Token",  // has each new token
		},
	}
}

// LoginByApp is Login for clients that are not browsers. The response has the token, and sets
// no cookie.
func (a *App) LoginByApp(w http.ResponseWriter, r *http.Request, s *Session) {
	user, err := a.Users.Authenticate(r.Context(), r.FormValue("name"), r.FormValue("password"))
	if errors.Is(err, ErrCredentials) {
		http.Error(w, "wrong name or password", http.StatusUnauthorized)
		return
	}
	if err == nil {
		err = s.Login(r.Context(), user.Owner())
	}
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	s.Update(func(d *Account) { d.User, d.Name, d.Admin = user.ID, user.Name, user.Admin })
	token, err := s.Token(r.Context()) // also saves the session
	if err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

// ForApps is ForUsers with the challenge that clients of RFC 6750 expect.
func (a *App) ForApps(next func(http.ResponseWriter, *http.Request, *Session)) http.HandlerFunc {
	return a.Sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		if s.Owner() == "" {
			challenge := "Bearer"
			if r.Header.Get("Authorization") != "" {
				challenge = `Bearer error="invalid_token"` // it was not accepted
			}
			w.Header().Set("WWW-Authenticate", challenge)
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		next(w, r, s)
	})
}

// Tokens is a transport for an HTTP client in Go: it sends the token to the site, and keeps
// each new one.
type Tokens struct {
	Host      string            // of the site; no other host gets the token
	Transport http.RoundTripper // such as http.DefaultTransport

	mu    sync.Mutex
	token string
}

// Set sets the token, such as the one of the login's response.
func (t *Tokens) Set(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = token
}

// RoundTrip is for http.Client.
func (t *Tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != t.Host {
		return t.Transport.RoundTrip(r)
	}
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	r = r.Clone(r.Context())
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := t.Transport.RoundTrip(r)
	if err == nil && res.Header.Get("X-Session-Token") != "" {
		t.Set(res.Header.Get("X-Session-Token"))
	}
	return res, err
}

// NewClient is an HTTP client that keeps the session's cookie as a browser does.
func NewClient() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}, nil
}
