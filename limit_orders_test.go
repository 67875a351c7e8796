package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// limitCase is a request that runs beside a login of the same owner. The owner has a session
// before.
type limitCase struct {
	name    string
	visitor bool // it has no session; otherwise the owner's
	does    func(s *session.Session[account], r *http.Request) error
	live    [2]int // how many sessions live afterwards, with a limit of 1 and of 2
}

func loginAgain(s *session.Session[account], r *http.Request) error {
	return s.Login(r.Context(), ownerName)
}

var limitCases = []limitCase{
	{"another login", true, loginAgain, [2]int{1, 2}},
	{"a login in the session", false, loginAgain, [2]int{1, 2}},
	{"a renewal", false, func(s *session.Session[account], r *http.Request) error { return s.Renew(r.Context()) }, [2]int{1, 2}},
	{"a save", false, func(s *session.Session[account], _ *http.Request) error {
		s.Update(adding("save"))
		return nil
	}, [2]int{1, 2}},
	{"a logout", false, func(s *session.Session[account], r *http.Request) error { return s.Destroy(r.Context()) }, [2]int{1, 1}},
}

// limitRuns makes what [run] needs: a login beside the case, each at its own node, with clocks
// that differ. check checks a run.
func limitRuns(t *testing.T, cfg session.Config, limit session.OwnerLimit, n int, refuses bool, c limitCase) (setup func() []job, check func(done []*actor, order string)) {
	shared := &stepped{}
	cl := newClock()
	cfg.Store, cfg.Now, cfg.MaxPerOwner = shared, cl.now, limit
	cfg.AbsoluteTimeout = session.NoTimeout
	m := newManager[account](t, cfg)
	var nodes []*session.Manager[account]
	for range 2 {
		node := newManager[account](t, cfg)
		node.VisitOneByOne()
		nodes = append(nodes, node)
	}
	var before *browser
	var all []*browser
	serve := func(node int, does func(*session.Session[account], *http.Request) error) http.Handler {
		return nodes[node].HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			switch err := does(s, r); {
			case errors.Is(err, session.ErrTooManySessions):
				w.WriteHeader(http.StatusConflict)
			case errors.Is(err, session.ErrRevoked):
				w.WriteHeader(http.StatusUnauthorized)
			case err != nil:
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
	}
	setup = func() []job {
		if shared.Store != nil {
			_ = shared.Store.(*memstore.Store).Close()
		}
		shared.Store = memstore.New(memstore.Config{Now: cl.now, SweepInterval: -1, MaxSessions: 64})
		before = newBrowser()
		mustLogin(t, m, before)
		all = []*browser{newBrowser(), before}
		if c.visitor {
			all[1] = newBrowser()
		}
		return []job{
			{"login", serve(0, loginAgain), all[0].request("GET", "/")},
			{c.name, serve(1, c.does), all[1].request("GET", "/")},
		}
	}
	check = func(done []*actor, order string) {
		t.Helper()
		for i, a := range done {
			if a.res.StatusCode == http.StatusInternalServerError {
				t.Fatalf("%s failed in the order%s", a.name, order)
			}
			all[i].receive(a.res)
		}
		live := 0
		for _, b := range append(all, before)[:2+btoi(c.visitor)] {
			live += btoi(lives(m, b)[0])
		}
		want := c.live[n-1]
		if refuses && c.name == "a logout" {
			want = btoi(done[0].res.StatusCode == http.StatusOK)
		}
		if refuses && n == 2 && c.name == "a login in the session" {
			want -= btoi(done[0].res.StatusCode == http.StatusConflict) // see ADR 37: that session counts twice for a moment
		}
		if live != want {
			t.Fatalf("%d sessions live, want %d; answered %d and %d, in the order%s", live, want, done[0].res.StatusCode, done[1].res.StatusCode, order)
		}
	}
	return setup, check
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestInterleavingsAtALimit runs a login beside each other request on the owner's sessions, in
// every order in which their calls can reach the store.
func TestInterleavingsAtALimit(t *testing.T) {
	t.Parallel()
	for variant, cfg := range map[string]session.Config{"": variants[""], ", express's preset": variants[", express's preset"]} {
		for n := 1; n <= 2; n++ {
			for _, c := range limitCases {
				t.Run(fmt.Sprintf("%s, %d at most%s", c.name, n, variant), func(t *testing.T) {
					t.Parallel()
					setup, check := limitRuns(t, cfg, session.EndOldest(n), n, false, c)
					t.Logf("%d orders", interleave(t, setup, check))
				})
			}
		}
	}
}

// TestOrdersAtALimitThatRefuses does the same in random orders, because a login that waits for
// another lists any number of times.
func TestOrdersAtALimitThatRefuses(t *testing.T) {
	t.Parallel()
	for variant, cfg := range map[string]session.Config{"": variants[""], ", express's preset": variants[", express's preset"]} {
		for n := 1; n <= 2; n++ {
			for _, c := range limitCases {
				t.Run(fmt.Sprintf("%s, %d at most%s", c.name, n, variant), func(t *testing.T) {
					t.Parallel()
					setup, check := limitRuns(t, cfg, session.RefuseLogin(n), n, true, c)
					for seed := range uint64(300) {
						random := rand.New(rand.NewPCG(seed, 0))
						done, order, _ := run(setup(), random.IntN)
						check(done, fmt.Sprintf("%s, of seed %d", order, seed))
					}
				})
			}
		}
	}
}
