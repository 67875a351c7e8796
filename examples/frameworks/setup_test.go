package frameworks_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
)

type account struct {
	User  string `json:"user,omitempty"`
	Count int    `json:"count"`
}

type manager = session.Manager[account]

func newManager(t *testing.T) *manager {
	t.Helper()
	m, err := session.New[account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// login returns the cookie of a session that is stored.
func login(t *testing.T, m *manager) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = "ada" })
	})(w, httptest.NewRequest("GET", "/", nil))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the login's cookies: %v", cookies)
	}
	return cookies[0]
}

// stored is what the session of a cookie holds.
func stored(m *manager, c *http.Cookie) (data account) {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(c)
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		data = s.Data()
		s.Discard()
	})(httptest.NewRecorder(), r)
	return data
}

// change counts, in the session of the request.
func change(m *manager, r *http.Request) {
	s, ok := m.From(r.Context())
	if !ok {
		panic("no session in the request's context")
	}
	s.Update(func(a *account) { a.Count++ })
}
