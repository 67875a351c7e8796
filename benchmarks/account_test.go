package benchmarks

import (
	"net/http"
	"testing"

	"github.com/nestsession/session/benchmarks/internal/account"
)

// What every contender keeps.
type (
	Account = account.Account
	User    = account.User
)

func newAccount() Account { return account.New() }

// writer is a response writer that is used again and again, so that what is
// measured is the middleware.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(int)             {}

// contender is one way to know who makes a request.
type contender struct {
	name string
	// login serves a request that logs a visitor in.
	login http.Handler
	// read serves one that looks at who is logged in.
	read http.Handler
	// write serves one that counts a visit. nil: it cannot.
	write http.Handler
}

// carry makes a request that comes from who was logged in.
func (c *contender) carry(tb testing.TB) *http.Request {
	tb.Helper()
	w := &writer{http.Header{}}
	c.login.ServeHTTP(w, newRequest())
	r := newRequest()
	if token := w.header.Get("Authorization"); token != "" {
		r.Header.Set("Authorization", token)
		return r
	}
	lines := (&http.Response{Header: w.header}).Cookies()
	if len(lines) != 1 {
		tb.Fatalf("%s: login sent %d cookies", c.name, len(lines))
	}
	r.Header.Set("Cookie", lines[0].Name+"="+lines[0].Value)
	return r
}

func newRequest() *http.Request {
	r, err := http.NewRequest("GET", "http://example.com/", nil)
	if err != nil {
		panic(err)
	}
	return r
}
