// Package sessiontest makes sessions for the tests of handlers.
//
// A test of a function that takes a session needs no HTTP: [New] makes a session.
//
//	func TestGreeting(t *testing.T) {
//		s := sessiontest.New(t, Account{User: "Ada"})
//		if got := greeting(s); got != "Hello, Ada" {
//			t.Errorf("got %q", got)
//		}
//	}
//
// A test of a handler uses the application's manager. [Attach] gives a request the
// cookie of a session, [After] returns the client's session after the response, and
// [Cookie] returns the session's cookie in the response:
//
//	func TestLogout(t *testing.T) {
//		sessions, handler := application(t)
//		r := httptest.NewRequest("POST", "https://example.com/logout", nil)
//		sessiontest.Attach(t, sessions, r, Account{User: "Ada"}, "user:42")
//		w := httptest.NewRecorder()
//		handler.ServeHTTP(w, r)
//		if s := sessiontest.After(t, sessions, r, w.Result()); !s.IsNew() {
//			t.Errorf("still logged in: %+v", s.Data())
//		}
//	}
//
// Make requests for HTTPS, as in "https://example.com/", unless the manager's cookie is
// meant for plain HTTP: browsers do not send a Secure cookie, the default, over plain HTTP.
package sessiontest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/nestsession/session"
)

// secret signs the cookies of the managers that New makes, which stay within the test.
const secret = "sessiontest: known to everybody, only for tests"

// New returns a stored session with the data and without an owner. Its store is its own
// and ends with the test. All methods work. Call Save after the code under test: it fails
// as in a handler, with [session.ErrUnrepeatable] if a function given to Update cannot be
// repeated.
//
// The test fails if T cannot be the type of a session's data, or the data cannot be stored.
func New[T any](tb testing.TB, data T) *session.Session[T] {
	tb.Helper()
	m, err := session.New[T](session.Config{
		Secrets: []string{secret},
		Logger:  slog.New(slog.NewTextHandler(tb.Output(), nil)),
	})
	if err != nil {
		tb.Fatalf("sessiontest: %v", err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Errorf("sessiontest: closing the store: %v", err)
		}
	})
	return Attach(tb, m, httptest.NewRequest(http.MethodGet, "https://example.com/", nil), data, "")
}

// Attach stores a session with the data and the owner, "" for none, and gives r its
// cookie, which replaces one that r has. It returns the session as another request of the
// same client has it. Before the handler runs, SetMaxAge and Save change the session;
// afterwards Reload reads what the handler saved, or returns [session.ErrRevoked] if the
// handler ended the session.
//
// The test fails if a browser would not send the cookie with r: over plain HTTP if the
// cookie is Secure, or outside of Cookie.Path.
func Attach[T any](tb testing.TB, m *session.Manager[T], r *http.Request, data T, owner string) *session.Session[T] {
	tb.Helper()
	bare, h := withCookies(r, nil), http.Header{}
	s := open(tb, m, bare)
	s.SetOwner(owner)
	s.Update(func(d *T) { *d = data })
	err := s.Save(bare.Context())
	if err == nil {
		err = m.Commit(bare.Context(), s, h)
	}
	if errors.Is(err, session.ErrInsecure) {
		tb.Fatalf("sessiontest: the session's cookie is Secure, which no browser sends over plain HTTP: make the request for https://%s%s", r.Host, r.URL.Path)
	}
	if err != nil {
		tb.Fatalf("sessiontest: storing the session: %v", err)
	}
	res := &http.Response{Header: h}
	r.Header = withCookies(r, received(r, res)).Header
	return open(tb, m, r)
}

// After returns the session that the client of r has after the response: with what the
// handler saved, or a new session if none was stored or it has ended. The client's cookie
// is that of r, unless the response sent another or removed it.
//
// Call it when the handler has returned: express.Config saves some things only then.
// The test fails if r is outside of Cookie.Path, or the store fails.
func After[T any](tb testing.TB, m *session.Manager[T], r *http.Request, res *http.Response) *session.Session[T] {
	tb.Helper()
	next := r
	if len(res.Cookies()) > 0 {
		next = withCookies(r, received(r, res))
	}
	return open(tb, m, next)
}

// Cookie returns the session's cookie as the response sends it, or nil if it sends none.
// A cookie with the Value "" removes the cookie from the browser.
func Cookie[T any](tb testing.TB, m *session.Manager[T], res *http.Response) *http.Cookie {
	tb.Helper()
	var found *http.Cookie
	for _, c := range res.Cookies() {
		if c.Name == m.CookieName() {
			found = c // browsers keep the last of several with one name
		}
	}
	return found
}

func open[T any](tb testing.TB, m *session.Manager[T], r *http.Request) *session.Session[T] {
	tb.Helper()
	s, err := m.Open(r.WithContext(context.WithoutCancel(r.Context())))
	if errors.Is(err, session.ErrOutsidePath) {
		tb.Fatalf("sessiontest: %s is outside of the manager's Cookie.Path, where there are no sessions", r.URL.Path)
	}
	if err != nil {
		tb.Fatalf("sessiontest: opening the session: %v", err)
	}
	return s
}

// received returns the cookies that a browser has for r after res: a cookie that is sent
// replaces the one of its name, and an empty one removes it. The manager checks lifetimes,
// because its clock may differ from ours.
func received(r *http.Request, res *http.Response) []*http.Cookie {
	cookies := r.Cookies()
	for _, c := range res.Cookies() {
		cookies = slices.DeleteFunc(cookies, func(old *http.Cookie) bool { return old.Name == c.Name })
		if c.Value != "" {
			cookies = append(cookies, c)
		}
	}
	return cookies
}

// withCookies returns r with only these cookies, and with a context that does not end,
// because a test may cancel that of r.
func withCookies(r *http.Request, cookies []*http.Cookie) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Header.Del("Cookie")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}
