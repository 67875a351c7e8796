package live_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// account is the data of the NestJS application, as its Go counterpart declares them, with a key
// that only Go uses.
type account struct {
	User   *user `json:"user,omitempty"`
	Visits int   `json:"visits,omitempty"`
}

type user struct {
	ID        int       `json:"id"`
	Username  string    `json:"username"`
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	CreatedAt time.Time `json:"createdAt"`
}

// adaAtNest is the user of node/nest/prisma.service.ts.
var adaAtNest = user{42, "ada", "Ada Lovelace 🎩", []string{"admin", "author"}, time.Date(2025, 12, 10, 9, 30, 0, 125e6, time.UTC)}

const (
	week      = 7 * 24 * time.Hour
	adaAsText = `{"id":42,"username":"ada","name":"Ada Lovelace 🎩","roles":["admin","author"],"createdAt":"2025-12-10T09:30:00.125Z"}`
)

// startGoNest serves the same routes as the NestJS application: POST, GET and DELETE of /session.
func startGoNest(t *testing.T, kept store.Store) side {
	t.Helper()
	cfg := express.Config(secret)
	cfg.Store = kept
	cfg.Cookie.MaxAge = week
	sessions, err := session.New[account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sessions.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session", sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = new(adaAtNest) })
		w.WriteHeader(http.StatusCreated)
	}))
	mux.HandleFunc("GET /session", sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if u := s.Data().User; u != nil {
			_ = json.NewEncoder(w).Encode(u)
		}
	}))
	mux.HandleFunc("PUT /session", sessions.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Visits++ })
	}))
	mux.HandleFunc("DELETE /session", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return side{"Go", server.URL}
}

// atSession requests /session, and returns the status and the text of the response.
func (v *visitor) atSession(t *testing.T, s side, method, body string) (int, string, *http.Cookie) {
	t.Helper()
	return v.at(t, s, method, "/session", body)
}

// at requests a path, follows redirects, and returns the status and the text of the response.
func (v *visitor) at(t *testing.T, s side, method, path, body string) (int, string, *http.Cookie) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if v.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+v.cookie)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if c.Name == cookieName {
			v.cookie = c.Value
			return resp.StatusCode, string(bytes.TrimSpace(text)), c
		}
	}
	return resp.StatusCode, string(bytes.TrimSpace(text)), nil
}

// A user who logs in at the NestJS application is logged in at the Go one, and the reverse. A
// logout at either ends the session at both.
func nestAndGo(t *testing.T, r *rig) {
	golang := startGoNest(t, r.kept)
	for _, w := range []way{{r.nest, golang}, {golang, r.nest}} {
		for _, at := range []side{w.to, w.from} {
			v := &visitor{}
			start := time.Now()
			status, _, sent := v.atSession(t, w.from, "POST", `{"username":"ada","password":"engine"}`)
			if status != http.StatusCreated || sent == nil || !sent.HttpOnly || sent.Secure {
				t.Fatalf("the login at %s answers %d and sends the cookie %v", w.from.name, status, sent)
			}
			around(t, "the cookie of "+w.from.name, sent.Expires, start, week)
			id := v.id(t)
			around(t, "the session of "+w.from.name, r.expires(t, id), start, week)
			for _, s := range []side{w.to, w.from} {
				if status, text, _ := v.atSession(t, s, "GET", ""); status != http.StatusOK || text != adaAsText {
					t.Errorf("%s does not know who logged in at %s: %d %s", s.name, w.from.name, status, text)
				}
			}
			// Go stores a key of its own, which does not affect the user's keys.
			v.atSession(t, golang, "PUT", "")
			if _, text, _ := v.atSession(t, r.nest, "GET", ""); text != adaAsText {
				t.Errorf("after a save of Go, NestJS knows %s", text)
			}
			v.atSession(t, at, "DELETE", "")
			for _, s := range []side{r.nest, golang} {
				if status, text, _ := v.atSession(t, s, "GET", ""); status != http.StatusOK || text != "" {
					t.Errorf("%s still knows who logged out at %s: %d %s", s.name, at.name, status, text)
				}
			}
			if r.record(t, id) != nil {
				t.Errorf("the store still has the session that ended at %s", at.name)
			}
		}
	}
	nestMethods(t, r, golang)
	v := &visitor{}
	if status, _, sent := v.atSession(t, r.nest, "POST", `{"username":"ada","password":"wrong"}`); status != http.StatusUnauthorized || sent != nil {
		t.Errorf("NestJS answers a wrong password with %d and the cookie %v", status, sent)
	}
}

// nestMethods calls regenerate, reload and save at the NestJS application, and reads the session
// with both programs.
func nestMethods(t *testing.T, r *rig, golang side) {
	v := &visitor{}
	v.atSession(t, golang, "POST", "")
	before := *v
	if status, text, sent := v.at(t, r.nest, "POST", "/session/regenerate", ""); status != http.StatusNoContent || sent == nil {
		t.Errorf("regenerate answers %d %s and sends the cookie %v", status, text, sent)
	}
	for _, s := range []side{r.nest, golang} {
		if _, text, _ := v.atSession(t, s, "GET", ""); text != adaAsText {
			t.Errorf("after regenerate, %s knows %s", s.name, text)
		}
		if _, text, _ := before.atSession(t, s, "GET", ""); text != "" {
			t.Errorf("after regenerate, %s knows %s with the old id", s.name, text)
		}
	}
	if status, text, _ := v.at(t, r.nest, "GET", "/session/reload", ""); status != http.StatusOK || text != adaAsText {
		t.Errorf("reload: %d %s", status, text)
	}
	if status, text, _ := v.at(t, r.nest, "PUT", "/session/theme", `{"theme":"dark"}`); status != http.StatusOK || text != "dark" {
		t.Errorf("after save and the redirect: %d %s", status, text)
	}
	if _, text, _ := v.atSession(t, golang, "GET", ""); text != adaAsText {
		t.Errorf("after save at NestJS, Go knows %s", text)
	}
}
