package promises

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// skewed are the clocks of four nodes, as far as clocks may be apart.
var skewed = []time.Duration{0, -time.Minute, time.Minute, -30 * time.Second}

// limits are the two ways to keep a limit.
var limits = map[string]struct {
	of      func(int) session.OwnerLimit
	refuses bool
}{
	"EndOldest":   {session.EndOldest, false},
	"RefuseLogin": {session.RefuseLogin, true},
}

// attemptKey is the key of the attempt in the context of a login, for stores in tests.
type attemptKey struct{}

// crowd is clients of one user who log in at four nodes, and the history of that.
type crowd struct {
	t     *testing.T
	w     *world
	nodes []*manager
	moments
	mu      sync.Mutex
	history []*attempt
}

// newCrowd makes a crowd on four nodes whose clocks are apart by clocks.
func newCrowd(t *testing.T, env Env, limit session.OwnerLimit, clocks []time.Duration) *crowd {
	t.Helper()
	c := &crowd{t: t}
	c.w = begin(t, env, func(cfg *session.Config) {
		cfg.MaxPerOwner = limit
	})
	for _, skew := range clocks {
		cfg := c.w.cfg
		cfg.Now = func() time.Time { return c.w.clock().Add(skew) }
		if env.Node != nil {
			cfg.Store = env.Node(t, c.w.store)
		}
		m, err := session.New[data](cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		c.nodes = append(c.nodes, m)
	}
	return c
}

// login logs a new client in at a node, and records it.
func (c *crowd) login(node int) *attempt {
	return c.loginWith(c.t.Context(), newBrowser(), node)
}

func (c *crowd) loginWith(ctx context.Context, b *browser, node int) *attempt {
	a := &attempt{browser: b}
	c.mu.Lock()
	c.history = append(c.history, a)
	c.mu.Unlock()
	r := b.request().WithContext(context.WithValue(ctx, attemptKey{}, a))
	var err error
	rec := httptest.NewRecorder()
	a.began = c.next()
	c.nodes[node].HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *current) {
		if err = s.Login(r.Context(), "user:ada"); err == nil {
			s.Update(func(d *data) { d.User = "ada" })
		}
	})(rec, r)
	a.answered = c.next()
	b.receive(r, rec.Result())
	a.accepted, a.refused = err == nil && rec.Code == http.StatusOK, errors.Is(err, session.ErrTooManySessions)
	if !a.accepted && !a.refused {
		c.t.Errorf("Login: %v, answered %d", err, rec.Code)
	}
	return a
}

// logout logs a client out, and records it.
func (c *crowd) logout(a *attempt, node int) {
	a.logout = c.next()
	a.browser.fork().visit(c.t, c.nodes[node], destroy) // it keeps its cookie, to try it
	a.loggedOut = c.next()
}

// check fails the test if the history breaks the limit.
func (c *crowd) check(n int, refuses bool) {
	c.t.Helper()
	for _, v := range c.violations(n, refuses) {
		c.t.Error(v)
	}
}

// violations looks which cookies are of live sessions, without a cache in between, and returns
// what the history breaks of the limit.
func (c *crowd) violations(n int, refuses bool) []string {
	c.t.Helper()
	cfg := c.w.cfg
	cfg.Store = c.w.store
	m, err := session.New[data](cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	defer m.Close()
	for _, a := range c.history {
		_, owner := peek(c.t, m, a.browser)
		a.lives = owner == "user:ada"
	}
	found := violations(n, refuses, c.history)
	listed := 0
	for _, err := range m.List(c.t.Context(), "user:ada") {
		if err != nil {
			c.t.Fatal(err)
		}
		listed++
	}
	if listed > n {
		found = append(found, fmt.Sprintf("%d sessions are listed, with a limit of %d", listed, n))
	}
	return found
}

// LimitHolds checks Config.MaxPerOwner on four nodes.
func LimitHolds(t *testing.T, env Env) {
	for name, limit := range limits {
		for apart, clocks := range map[string][]time.Duration{"one time": make([]time.Duration, 4), "clocks two minutes apart": skewed} {
			t.Run(name+", "+apart, func(t *testing.T) {
				t.Parallel()
				size := 100
				if env.Sample && limit.refuses == (&clocks[0] == &skewed[0]) {
					size = 20
				}
				t.Run(fmt.Sprint(size, " at once"), func(t *testing.T) {
					t.Parallel()
					const n = 5
					c := newCrowd(t, env, limit.of(n), clocks)
					var logins sync.WaitGroup
					start := make(chan struct{})
					for i := range size {
						logins.Go(func() {
							<-start
							c.login(i % len(c.nodes))
						})
					}
					close(start)
					logins.Wait()
					c.check(n, limit.refuses)
				})
				t.Run("one after the other", func(t *testing.T) {
					t.Parallel()
					c := newCrowd(t, env, limit.of(2), clocks)
					for i := range 2 * len(c.nodes) {
						a := c.login((i + 2) % len(c.nodes)) // the fastest clock first
						if limit.refuses != a.refused && i >= 2 {
							t.Errorf("login %d was refused: %v", i, a.refused)
						}
					}
					c.check(2, limit.refuses)
				})
				t.Run("logins and logouts", func(t *testing.T) {
					t.Parallel()
					c := newCrowd(t, env, limit.of(3), clocks)
					var clients sync.WaitGroup
					for i := range 8 {
						clients.Go(func() {
							for j := range 4 {
								if a := c.login((i + j) % len(c.nodes)); a.accepted && (i+j)%3 > 0 {
									c.logout(a, j)
								}
							}
						})
					}
					clients.Wait()
					c.check(3, limit.refuses)
				})
			})
		}
	}
}
