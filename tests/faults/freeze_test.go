package faults

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

// TestFrozenServer: if a server hangs, a request takes until its deadline and gets the error
// response, never the page of a logged-out user. Requests without a session are not affected. When
// the server continues, everything works again, and the delayed commands do no harm.
func TestFrozenServer(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		nodes := []*node{newNode(t, b.open(t, b.Addr()), hurried), newNode(t, b.open(t, b.Addr()), hurried)}
		ada, bob, eve := newBrowser(t, "ada"), newBrowser(t, "bob"), newBrowser(t, "eve")
		for _, u := range []*browser{ada, bob, eve} {
			u.mustLogin(nodes[0])
			u.mustAdd(nodes[1])
		}

		b.Freeze()
		var pending sync.WaitGroup
		hangs := func(send func() answer) {
			pending.Go(func() {
				if a := send(); a.status != http.StatusServiceUnavailable {
					t.Errorf("while the server hangs: %v", a)
				}
			})
		}
		for _, n := range nodes {
			hangs(func() answer { return ada.add(n) })
			hangs(func() answer { return ada.look(n) })
			hangs(func() answer { return bob.add(n) })
			hangs(func() answer { return newBrowser(t, "new").login(n) })
		}
		hangs(func() answer { return eve.logout(nodes[0], "/logout") })
		hangs(func() answer { return eve.logout(nodes[1], "/everywhere") })
		for range 20 {
			if a := ada.send(nodes[0], "GET", "/plain"); a.status != http.StatusOK {
				t.Errorf("a page without a session while the server hangs: %v", a)
			}
		}
		pending.Wait()
		b.Thaw()

		// The commands of failed requests may be executed now. They must not undo later changes.
		bob.settled(nodes[0])
		until(t, "bob can log out", func() bool { return bob.logout(nodes[1], "/logout").status == http.StatusOK })
		for range 3 {
			for _, n := range nodes {
				for _, u := range []*browser{ada, bob, eve} {
					u.settled(n)
				}
			}
		}
		ada.mustAdd(nodes[1])
		ada.settled(nodes[0])
	})
}

// TestFrozenShard: one master of a Cluster hangs. Requests with a session there wait until the
// deadline; all others are served.
func TestFrozenShard(t *testing.T) {
	watchGoroutines(t)
	t.Run("redis", func(t *testing.T) {
		c := servers.StartRedisCluster(t, servers.ClusterOptions{Password: password, Extra: []string{"cluster-require-full-coverage no"}})
		n := newNode(t, openRedis(t, redisOption(password, c.Addrs()...)), hurried)
		var users []*browser
		there := map[*browser]bool{} // users whose sessions are at the node that will hang
		for i := 0; i < 100 && (len(there) < 2 || len(users)-len(there) < 4); i++ {
			b := newBrowser(t, fmt.Sprintf("user%d", i))
			before := sessionsOn(t, c.Nodes[0])
			b.mustLogin(n)
			users = append(users, b)
			if sessionsOn(t, c.Nodes[0]) > before {
				there[b] = true
			}
		}
		c.Nodes[0].Freeze()
		for range 2 { // before the other nodes agree that it is down, and afterwards
			for _, b := range users {
				if !there[b] {
					b.mustLook(n)
				} else if a := b.look(n); a.status != http.StatusServiceUnavailable {
					t.Errorf("%s, whose session is where nothing answers: %v", b.user, a)
				}
			}
		}
		c.Nodes[0].Thaw()
		for _, b := range users {
			until(t, b.user+" can save again", func() bool { return b.add(n).status == http.StatusOK })
			b.settled(n)
		}
	})
}

// sessionsOn returns the number of sessions at the node.
func sessionsOn(t *testing.T, node *servers.Redis) int {
	t.Helper()
	keys, err := node.Do(t.Context(), "KEYS", redisstore.DefaultPrefix+"*")
	list, ok := keys.([]any)
	if err != nil || !ok {
		t.Fatalf("%v, %v", keys, err)
	}
	return len(list)
}
