package session_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// checkOver asserts that nothing answers as the session that was ended: not its
// cookie, not one that a response gave, no record in the store.
func checkOver(t *testing.T, fail func(string, ...any), m *session.Manager[account], mem store.Store, home *browser, done []*actor, fresh bool) {
	t.Helper()
	logged := false
	for _, a := range append(done, &actor{name: "the old cookie", res: &http.Response{}}) {
		b := home.fork()
		b.receive(a.res)
		switch who := peek(m, b).name(); who {
		case "":
		case "fresh":
			logged = true
		default:
			fail("the session was ended, and the cookie after %s is logged in as %q", a.name, who)
		}
	}
	if fresh && !logged {
		fail("no response has the new session's cookie")
	}
	for _, rec := range records(t, mem) {
		if strings.Contains(string(rec.Data), `"name":"ada"`) {
			fail("the session was ended, and a record of it lives: %s", rec.Data)
		}
	}
}

// checkLogin asserts that no id but a login's reads what its session holds, that no
// response takes that from the browser, and that it has what others have changed.
func checkLogin(fail func(string, ...any), m *session.Manager[account], home *browser, part []act, done []*actor, acknowledged []string) {
	revoked := false
	old := append([]*actor{{name: "none", res: &http.Response{}}}, done...)
	for i, a := range old {
		if i > 0 {
			revoked = revoked || strings.HasPrefix(part[i-1].name, "revoke")
			if part[i-1].logs || part[i-1].fresh {
				continue
			}
		}
		b := home.fork()
		b.receive(a.res)
		if who := whoami(m, b); who != "" {
			fail("the user has logged in, and the cookie after the response of %s reads the session of %q", a.name, who)
		}
	}
	permute(len(done), func(arrival []int) {
		if revoked || !plausible(home, done, arrival) {
			return // the login's session may be one of those that were revoked
		}
		b := home.fork()
		for _, i := range arrival {
			b.receive(done[i].res)
		}
		var owner string
		var data account
		answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			owner, data = s.Owner(), s.Data()
			s.Discard()
		}), b.request("GET", "/peek"))
		if owner != ownerName && data.name() != "fresh" {
			fail("the browser is logged out, responses in the order %v", arrival)
		}
		for _, key := range acknowledged {
			if !data.Keys[key] {
				fail("the update %q is lost", key)
			}
		}
		if data.Count != len(data.Keys) {
			fail("count %d, keys %v", data.Count, data.Keys)
		}
	})
}

// plausible reports whether responses can arrive in the order: one that left before
// a session was renewed is taken to arrive before the one that says so. (It has the
// old id in its cookie, and nobody could know better when it left.)
func plausible(home *browser, done []*actor, arrival []int) bool {
	for at, j := range arrival {
		b := home.fork()
		b.receive(done[j].res)
		if b.cookie() == home.cookie() {
			continue
		}
		for _, i := range arrival[at+1:] {
			if done[i].last < done[j].last {
				return false
			}
		}
	}
	return true
}

// permute calls fn with each order of 0..n-1.
func permute(n int, fn func([]int)) {
	order := make([]int, 0, n)
	var extend func(used int)
	extend = func(used int) {
		if len(order) == n {
			fn(order)
			return
		}
		for i := range n {
			if used&(1<<i) == 0 {
				order = append(order, i)
				extend(used | 1<<i)
				order = order[:len(order)-1]
			}
		}
	}
	extend(0)
}
