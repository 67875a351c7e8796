package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

const (
	secret = "the secret of both applications"
	ada    = `{"id":42,"username":"ada","name":"Ada Lovelace 🎩","roles":["admin","author"],"createdAt":"2025-12-10T09:30:00.125Z"}`
)

// client is a browser with the application's server.
type client struct {
	*http.Client
	base     string
	sessions *session.Manager[Account]
}

func start(t *testing.T, sessions *session.Manager[Account], err error, server func(http.Handler) *httptest.Server) *client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Close() })
	s := server(routes(sessions, oneUser{}))
	t.Cleanup(s.Close)
	c := &client{s.Client(), s.URL, sessions}
	if c.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// do returns the status, the body and the session's cookie, nil if none was sent.
func (c *client) do(t *testing.T, method, path, body string) (int, string, *http.Cookie) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range resp.Cookies() {
		return resp.StatusCode, strings.TrimSpace(string(text)), sent
	}
	return resp.StatusCode, strings.TrimSpace(string(text)), nil
}

// The routes, in the order of the page, with each configuration that the page shows.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		open   func() (*session.Manager[Account], error)
		server func(http.Handler) *httptest.Server
		cookie string
		secure bool
	}{
		"HTTPS":      {func() (*session.Manager[Account], error) { return newSessions(secret, "") }, httptest.NewTLSServer, "__Host-sid", true},
		"plain HTTP": {func() (*session.Manager[Account], error) { return newSessions(secret, "none") }, httptest.NewServer, "sid", false},
		"beside NestJS": {func() (*session.Manager[Account], error) {
			return besideNest(secret, memstore.New(memstore.Config{}))
		}, httptest.NewTLSServer, "connect.sid", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessions, err := test.open()
			c := start(t, sessions, err, test.server)

			status, _, first := c.do(t, "POST", "/session", `{"username":"ada","password":"engine"}`)
			if status != http.StatusCreated || first == nil {
				t.Fatalf("the login answers %d and sends the cookie %v", status, first)
			}
			if first.Name != test.cookie || first.Secure != test.secure || !first.HttpOnly || time.Until(first.Expires) < 6*24*time.Hour {
				t.Errorf("the cookie is %v", first)
			}
			c.isAda(t, "after the login")

			status, _, second := c.do(t, "POST", "/session/regenerate", "")
			if status != http.StatusNoContent || second == nil || second.Value == first.Value {
				t.Errorf("regenerate answers %d and sends the cookie %v", status, second)
			}
			c.isAda(t, "after regenerate")
			c.owns(t, "user:42", 1)

			status, text, _ := c.do(t, "GET", "/session/reload", "")
			if status != http.StatusOK || text != ada {
				t.Errorf("reload: %d %s", status, text)
			}
			status, text, _ = c.do(t, "PUT", "/session/theme", `{"theme":"dark"}`)
			if status != http.StatusOK || text != "dark" {
				t.Errorf("after save and the redirect: %d %s", status, text)
			}

			if status, _, _ := c.do(t, "DELETE", "/session", ""); status != http.StatusOK {
				t.Errorf("the logout answers %d", status)
			}
			if status, text, _ := c.do(t, "GET", "/session", ""); status != http.StatusOK || text != "" {
				t.Errorf("after the logout: %d %s", status, text)
			}
			c.owns(t, "user:42", 0)
		})
	}
}

func (c *client) isAda(t *testing.T, when string) {
	t.Helper()
	if status, text, _ := c.do(t, "GET", "/session", ""); status != http.StatusOK || text != ada {
		t.Errorf("%s: %d %s", when, status, text)
	}
}

// owns checks how many sessions the owner has.
func (c *client) owns(t *testing.T, owner string, want int) {
	t.Helper()
	got := 0
	for _, err := range c.sessions.List(t.Context(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != want {
		t.Errorf("%s has %d sessions, want %d", owner, got, want)
	}
}

func TestAWrongPasswordStoresNothing(t *testing.T) {
	t.Parallel()
	sessions, err := newSessions(secret, "none")
	c := start(t, sessions, err, httptest.NewServer)
	for body, want := range map[string]int{
		`{"username":"ada","password":"wrong"}`: http.StatusUnauthorized,
		`{`:                                     http.StatusBadRequest,
		`{"username":"` + strings.Repeat("a", 2000) + `"}`: http.StatusBadRequest,
	} {
		if status, _, sent := c.do(t, "POST", "/session", body); status != want || sent != nil {
			t.Errorf("%.40s: %d and the cookie %v, want %d and none", body, status, sent, want)
		}
	}
}

// A reload sees what another request has saved since this one has read the session.
func TestReloadSeesWhatOthersSaved(t *testing.T) {
	t.Parallel()
	sessions, err := newSessions(secret, "none")
	c := start(t, sessions, err, httptest.NewServer)
	c.do(t, "POST", "/session", `{"username":"ada","password":"engine"}`)
	handler := sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		_ = s.Data()
		n, err := sessions.UpdateOwner(r.Context(), "user:42", func(a *Account) { a.User = &User{ID: 42, Name: "Countess"} })
		if n != 1 || err != nil {
			t.Errorf("changed %d: %v", n, err)
		}
		reload(w, r, s)
	})
	r, w := httptest.NewRequest("GET", c.base+"/session/reload", nil), httptest.NewRecorder()
	for _, kept := range c.Jar.Cookies(r.URL) {
		r.AddCookie(kept)
	}
	handler(w, r)
	if !strings.Contains(w.Body.String(), "Countess") {
		t.Errorf("reload: %d %s", w.Code, w.Body)
	}
}
