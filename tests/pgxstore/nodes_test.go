package pgxstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
)

type account struct {
	User string `json:"user,omitempty"`
}

type handler = func(http.ResponseWriter, *http.Request, *session.Session[account])

// node is one of several that serve the same users, with a pool and a cache of its own.
type node struct {
	*session.Manager[account]
	near *nearcache.Cache
}

func newNode(t testing.TB, dsn string, c pgxstore.Config) *node {
	t.Helper()
	n := &node{near: cached(t, newStore(t, newPool(t, dsn), c), nearcache.Config{})}
	m, err := session.New[account](session.Config{Secrets: []string{"a secret that only this test knows"}, Store: n.near})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	n.Manager = m
	return n
}

// browser keeps its cookies, whichever node answers.
type browser map[string]*http.Cookie

func (b browser) visit(n *node, h handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "https://shop.test/", nil)
	for _, c := range b {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	n.HandlerFunc(h)(w, r)
	for _, c := range w.Result().Cookies() {
		b[c.Name] = c
	}
	return w
}

func login(user string) handler {
	return func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_ = s.Regenerate(r.Context())
		s.SetOwner("user:" + user)
		s.Update(func(a *account) { a.User = user })
	}
}

func logout(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
	_ = s.Destroy(r.Context())
}

// stream is a connection that outlives its request, of which only the context is there.
func (b browser) stream(t testing.TB, n *node) context.Context {
	t.Helper()
	var ctx context.Context
	var stop context.CancelFunc
	b.visit(n, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		ctx, stop = s.NotifyContext(context.WithoutCancel(r.Context()))
	})
	t.Cleanup(stop)
	return ctx
}

func (b browser) user(n *node) (user string) {
	b.visit(n, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { user = s.Data().User })
	return user
}

// Requests of a session may go to any node, and a session that ends on one node ends on all,
// including its streams.
func TestNodes(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := servers.SharedPostgres(t).NewDatabase(t)
			one, two := newNode(t, dsn, c), newNode(t, dsn, c)
			node := newPool(t, dsn) // who knows nothing of this library
			remove := `DELETE FROM session`
			if c.Layout == sqlstore.Native {
				remove = `DELETE FROM nest_sessions`
			}
			for how, end := range map[string]func(b browser){
				"logout": func(b browser) { b.visit(one, logout) },
				"revoked": func(browser) {
					if n, err := one.RevokeOwner(t.Context(), "user:ada"); n != 1 || err != nil {
						t.Errorf("revoked %d, %v", n, err)
					}
				},
				"removed by others": func(browser) { exec(t, node, remove) },
			} {
				b := browser{}
				b.visit(one, login("ada"))
				if got := b.user(two); got != "ada" {
					t.Fatalf("%s: the other node knows %q", how, got)
				}
				other := browser{}
				for name, c := range b {
					other[name] = c
				}
				ctx := b.stream(t, two)
				end(b)
				select {
				case <-ctx.Done():
				case <-time.After(patience):
					t.Fatalf("%s: the stream did not end", how)
				}
				if cause := context.Cause(ctx); !errors.Is(cause, session.ErrRevoked) {
					t.Errorf("%s: the stream ended with %v", how, cause)
				}
				if got := other.user(two); got != "" {
					t.Errorf("%s: the other node still knows %q", how, got)
				}
			}
		})
	}
}
