// Package sessiontest makes sessions for the tests of handlers.
//
// A function that takes a session needs no HTTP: [New] makes a session with the data.
//
//	func TestGreeting(t *testing.T) {
//		s := sessiontest.New(t, Account{User: "Ada"})
//		if got := greeting(s); got != "Hello, Ada" {
//			t.Errorf("got %q", got)
//		}
//	}
//
// A handler is tested behind the manager that it has in the application. [Attach]
// gives a request the cookie of a session, [After] is the session that the client has
// after the response, and [Cookie] the session's cookie in it:
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
// Requests are by HTTPS, as in "https://example.com/", unless the manager's cookie is
// meant for plain HTTP: a Secure cookie, which is the default, is not sent there.
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

// secret signs the cookies of the managers that New makes, which nobody else meets.
const secret = "sessiontest: known to everybody, for tests alone"

// New returns a stored session with the data, nobody's, in a store of its own that
// ends with the test. All methods work, so that after what is tested, Save fails as
// it would in a handler: with [session.ErrUnrepeatable] if a function given to Update
// cannot be repeated.
//
// The test fails if T is no type for a session's data, or the data cannot be stored.
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

// Attach stores a session with the data and the owner, "" for nobody's, and gives r
// its cookie, in place of one that r has. It returns the session as another request of
// the same client has it: before the handler runs, SetMaxAge and Save change it; after
// that, Reload shows what the handler saved, or [session.ErrRevoked] if it ended the
// session.
//
// The test fails if a browser would not send the cookie with r: by plain HTTP if it is
// Secure, and outside of Cookie.Path.
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
		tb.Fatalf("sessiontest: the session's cookie is Secure, which no browser sends by plain HTTP: make the request for https://%s%s", r.Host, r.URL.Path)
	}
	if err != nil {
		tb.Fatalf("sessiontest: storing the session: %v", err)
	}
	res := &http.Response{Header: h}
	r.Header = withCookies(r, received(r, res)).Header
	return open(tb, m, r)
}

// After returns the session that the client which sent r has after the response: with
// what the handler saved, or a new one if there is none, since none began or it has
// ended. Its cookie is r's unless the response sent another or took it away.
//
// Call it when the handler has returned: express.Config saves some things only then.
// The test fails if r is outside of Cookie.Path, or the store does.
func After[T any](tb testing.TB, m *session.Manager[T], r *http.Request, res *http.Response) *session.Session[T] {
	tb.Helper()
	next := r
	if len(res.Cookies()) > 0 {
		next = withCookies(r, received(r, res))
	}
	return open(tb, m, next)
}

// Cookie returns the session's cookie as the response sends it, or nil if it sends none.
// One whose Value is "" takes the cookie from the browser.
func Cookie[T any](tb testing.TB, m *session.Manager[T], res *http.Response) *http.Cookie {
	tb.Helper()
	var found *http.Cookie
	for _, c := range res.Cookies() {
		if c.Name == m.CookieName() {
			found = c // of several of one name the last counts
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

// received is what a browser has for r after res: a cookie that is sent replaces that
// of its name, and an empty one takes it away. Lifetimes are for the manager to judge,
// whose clock need not be ours.
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

// withCookies is r with these cookies and no others, and a context that does not end:
// a test may be about a client that goes away.
func withCookies(r *http.Request, cookies []*http.Cookie) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Header.Del("Cookie")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}
