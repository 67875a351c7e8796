package session_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store/memstore"
)

// act is what a request of the interleaving tests does to the session that all
// share. adds is the key that its success adds to the data.
type act struct {
	name  string
	does  handler
	adds  string
	ends  bool // the session is over once it was answered
	fresh bool // and its client has a new one
	logs  bool // it is a login, which no end of the session before undoes
}

const (
	grace     = 30 * time.Second
	ownerName = "user:42"
)

func adding(key string) func(*account) {
	return func(a *account) {
		a.Count++
		if a.Keys == nil {
			a.Keys = map[string]bool{}
		}
		a.Keys[key] = true
	}
}

// acts are what sessions live through, each under a name that tells it apart when
// two of a kind meet.
func acts(m *session.Manager[account], suffix string) []act {
	must := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
		}
	}
	return []act{
		{name: "save", adds: "save" + suffix, does: func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(adding("save" + suffix))
		}},
		{name: "read", does: func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			_ = s.Data() // the response touches
		}},
		{name: "reload", adds: "reload" + suffix, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Reload(r.Context()); err != nil {
				http.Error(w, "", http.StatusConflict)
				return
			}
			s.Update(adding("reload" + suffix))
		}},
		{name: "renew", adds: "renew" + suffix, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(adding("renew" + suffix))
			if err := s.Renew(r.Context()); err != nil {
				http.Error(w, "", http.StatusConflict)
			}
		}},
		{name: "login", adds: "login" + suffix, logs: true, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(adding("login" + suffix))
			must(w, s.Login(r.Context(), ownerName))
		}},
		{name: "destroy", ends: true, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			must(w, s.Destroy(r.Context()))
		}},
		{name: "regenerate", ends: true, fresh: true, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			must(w, s.Regenerate(r.Context()))
			s.Update(func(a *account) { a.User = &user{Name: "fresh"} })
		}},
		{name: "revoke", ends: true, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Discard() // an operator's request; the session is somebody else's
			for info, err := range m.List(r.Context(), ownerName) {
				must(w, err)
				must(w, m.Revoke(r.Context(), info))
			}
		}},
		{name: "revoke-owner", ends: true, does: func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Discard()
			_, err := m.RevokeOwner(r.Context(), ownerName)
			must(w, err)
		}},
	}
}

// TestInterleavings runs every pair of acts on one session, in every order in which
// their calls can reach the store, and every plausible order in which the responses
// can reach the browser.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	names := acts(nil, "")
	for variant, cfg := range variants {
		for i := range names {
			for j := i; j < len(names); j++ {
				t.Run(names[i].name+"+"+names[j].name+variant, func(t *testing.T) {
					t.Parallel()
					interleaved(t, cfg, i, j)
				})
			}
		}
	}
}

// variants are the configurations under which the orders of calls differ.
var variants = map[string]session.Config{
	"":                 {StoreLimits: session.StoreLimits{TouchInterval: -1}, Cookie: session.Cookie{MaxAge: time.Hour}},
	", seldom touched": {},
	", always written": {Express: session.ExpressOptions{Resave: true, SaveUninitialized: true}},
	", express's preset": func() session.Config {
		c := express.Config(secret)
		c.Cookie.MaxAge = time.Hour
		return c
	}(),
}

// TestInterleavingsOfThree does the same for those threesomes in which the third
// may come between the two.
func TestInterleavingsOfThree(t *testing.T) {
	t.Parallel()
	const save, renew, login, destroy, regenerate, revoke = 0, 3, 4, 5, 6, 7
	for _, three := range [][3]int{
		{save, renew, destroy}, {save, renew, renew}, {save, save, renew}, {renew, renew, destroy}, {renew, destroy, regenerate}, {save, renew, revoke},
		{save, login, destroy},
	} {
		names := acts(nil, "")
		t.Run(fmt.Sprintf("%s+%s+%s", names[three[0]].name, names[three[1]].name, names[three[2]].name), func(t *testing.T) {
			t.Parallel()
			interleaved(t, variants[""], three[:]...)
		})
	}
}

func interleaved(t *testing.T, cfg session.Config, which ...int) {
	var (
		home  *browser
		part  []act
		found []bool // whether the request has found the session
	)
	c := newClock()
	shared := &stepped{}
	cfg.Store, cfg.Now, cfg.RenewGrace = shared, c.now, grace
	m := newManager[account](t, cfg) // before and after
	var nodes []*session.Manager[account]
	for range which { // each request comes to a node of its own
		n := newManager[account](t, cfg)
		n.VisitOneByOne()
		nodes = append(nodes, n)
	}
	setup := func() []job {
		if shared.Store != nil {
			_ = shared.Store.(*memstore.Store).Close()
		}
		shared.Store = memstore.New(memstore.Config{Now: c.now, SweepInterval: -1, MaxSessions: 64})
		home, part, found = newBrowser(), nil, make([]bool, len(which))
		do(m, home, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.User = &user{Name: "ada"} })
			s.SetOwner(ownerName)
		})
		var jobs []job
		for i, w := range which {
			a := acts(nodes[i], fmt.Sprint(i))[w]
			part = append(part, a)
			does := func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				found[i] = !s.IsNew()
				a.does(w, r, s)
			}
			jobs = append(jobs, job{fmt.Sprintf("%s%d", a.name, i), nodes[i].HandlerFunc(does), home.request("GET", "/")})
		}
		return jobs
	}
	n := interleave(t, setup, func(done []*actor, order string) {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("%s\n  in the order%s", fmt.Sprintf(format, args...), order)
		}
		var over, fresh bool
		logins := 0
		var acknowledged []string
		for i, a := range done {
			if a.res.StatusCode != http.StatusOK && a.res.StatusCode != http.StatusConflict {
				fail("%s answered %d", a.name, a.res.StatusCode)
			}
			over, fresh = over || part[i].ends, fresh || part[i].fresh
			if part[i].logs {
				logins++
			}
			if part[i].adds != "" && a.res.StatusCode == http.StatusOK && (found[i] || part[i].logs) {
				acknowledged = append(acknowledged, part[i].adds)
			}
		}
		if logins > 0 {
			if over || logins > 1 {
				acknowledged = nil // a login that finds the session ended, or taken over, begins without what was in it
			}
			checkLogin(fail, m, home, part, done, acknowledged)
			return
		}
		if over {
			checkOver(t, fail, m, shared, home, done, fresh)
			return
		}
		permute(len(done), func(arrival []int) {
			if !plausible(home, done, arrival) {
				return
			}
			b := home.fork()
			for _, i := range arrival {
				b.receive(done[i].res)
			}
			for range 2 { // within the grace of a renewal, and after it
				data := peek(m, b)
				if data.name() != "ada" {
					fail("the browser is logged out, responses in the order %v", arrival)
				}
				for _, key := range acknowledged {
					if !data.Keys[key] {
						fail("the update %q is lost", key)
					}
				}
				if data.Count != len(data.Keys) || data.Count != len(acknowledged) {
					fail("count %d, keys %v, acknowledged %v", data.Count, data.Keys, acknowledged)
				}
				c.advance(grace + time.Second)
			}
		})
	})
	t.Logf("%d orders", n)
}
