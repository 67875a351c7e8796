package session_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store/memstore"
)

const (
	oldSecret = "the old secret, of more than 16 bytes"
	newSecret = "the new secret, of more than 16 bytes"
)

// crowd are users who are active on three nodes while these are replaced one by one.
type crowd struct {
	users  []*browser
	visits []int
}

func newCrowd() *crowd {
	c := &crowd{visits: make([]int, 12)}
	for range c.visits {
		c.users = append(c.users, newBrowser())
	}
	return c
}

// round has each user visit each node, all users at the same time. It returns how often
// a user was not the one that had logged in, or had lost a visit.
func (c *crowd) round(nodes []http.Handler) (lost int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, b := range c.users {
		wg.Go(func() {
			for n := range nodes {
				node := nodes[(i+n)%len(nodes)]
				res := b.visit(node, "/visit")
				want := fmt.Sprintf("user:%d with visit %d", i, c.visits[i]+1)
				if got := res.Header.Get("Seen"); got != want {
					mu.Lock()
					lost++
					mu.Unlock()
					continue
				}
				c.visits[i]++
			}
		})
	}
	wg.Wait()
	return lost
}

// counting is an application's node on which users log in and visit. count adds a visit
// to the data and returns how many there are.
func counting[T any](t *testing.T, cfg session.Config, count func(*T) int) http.Handler {
	t.Helper()
	m := newManager[T](t, cfg)
	mux := http.NewServeMux()
	mux.Handle("/login/{user}", m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[T]) {
		if err := s.Login(r.Context(), "user:"+r.PathValue("user")); err != nil {
			t.Errorf("Login: %v", err)
		}
	}))
	mux.Handle("/visit", m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[T]) {
		if s.Owner() == "" {
			return
		}
		visits := 0
		s.Update(func(d *T) { visits = count(d) })
		w.Header().Set("Seen", fmt.Sprintf("%s with visit %d", s.Owner(), visits))
	}))
	return mux
}

// Both versions of the application count visits. What numbered has as a number is text in
// the next version.
func (d *numbered) count() int { d.Count, d.Visits = d.Count+1, 7; return d.Count }
func (d *lettered) count() int { d.Count, d.Visits = d.Count+1, "seven"; return d.Count }

// configs are the two ways in which nodes are set up.
var configs = map[string]func(secrets ...string) session.Config{
	"native": func(secrets ...string) session.Config { return session.Config{Secrets: secrets} },
	"express": func(secrets ...string) session.Config {
		cfg := express.Config(secrets...)
		cfg.Rolling = true // else an old secret's signature is no reason to send the cookie
		return cfg
	},
}

// A secret is rotated on three nodes in the steps of docs/rotating-secrets.md, a node at a
// time and with everybody active all the while: nobody is logged out.
func TestASecretIsRotatedInStepsAndNobodyIsLoggedOut(t *testing.T) {
	t.Parallel()
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost, c := rotate(t, config, true, []string{oldSecret, newSecret}, []string{newSecret, oldSecret}, []string{newSecret})
			if lost != 0 {
				t.Errorf("%d visits of users who were logged out", lost)
			}
			for i, n := range c.visits {
				if n != 3*10 {
					t.Errorf("user %d has %d visits, want 30", i, n)
				}
			}
		})
	}
}

// In one step nodes that have the old secret alone refuse the cookies that others sign.
func TestASecretThatIsRotatedInOneStepLogsUsersOut(t *testing.T) {
	t.Parallel()
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if lost, _ := rotate(t, config, false, []string{newSecret, oldSecret}); lost == 0 {
				t.Error("nobody was logged out: docs/rotating-secrets.md need not say so")
			}
		})
	}
}

// rotate replaces the nodes one by one in each step, and returns how many visits were
// lost. With relog users log in once more while nodes of two kinds are at work.
func rotate(t *testing.T, config func(...string) session.Config, relog bool, steps ...[]string) (lost int, c *crowd) {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	start := func(secrets ...string) http.Handler {
		cfg := config(secrets...)
		cfg.Store = kept
		return counting(t, cfg, (*numbered).count)
	}
	nodes := []http.Handler{start(oldSecret), start(oldSecret), start(oldSecret)}
	c = newCrowd()
	for i, b := range c.users {
		b.visit(nodes[i%len(nodes)], "/login/"+strconv.Itoa(i))
	}
	lost = c.round(nodes)
	for _, secrets := range steps {
		for i := range nodes {
			if nodes[i] = start(secrets...); relog && i == 1 { // a login between, on a node of each kind
				for n := range c.users[:2] {
					c.users[n].visit(nodes[n], "/login/"+strconv.Itoa(n))
				}
			}
			lost += c.round(nodes)
		}
	}
	return lost, c
}

// A field changes its type, on one node after the other, and is rolled back in the same
// way, with everybody active all the while: nobody is logged out, nothing else is lost.
func TestATypeIsRolledForwardAndBackAndNobodyIsLoggedOut(t *testing.T) {
	t.Parallel()
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(oldSecret)
			kept := memstore.New(memstore.Config{})
			t.Cleanup(func() { _ = kept.Close() })
			cfg.Store = kept
			before := func() http.Handler { return counting(t, cfg, (*numbered).count) }
			after := func() http.Handler { return counting(t, cfg, (*lettered).count) }
			nodes := []http.Handler{before(), before(), before()}
			c := newCrowd()
			for i, b := range c.users {
				b.visit(nodes[i%len(nodes)], "/login/"+strconv.Itoa(i))
			}
			lost := c.round(nodes)
			for _, start := range []func() http.Handler{after, before} {
				for i := range nodes {
					nodes[i] = start()
					lost += c.round(nodes)
				}
			}
			if lost != 0 {
				t.Errorf("%d visits of users who were logged out, or had lost a visit", lost)
			}
		})
	}
}
