package faults

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestFrozenServer: a server that hangs costs a request its deadline and an error
// response, never the page of a stranger; who needs no session does not notice. When it
// goes on, so does everything, and what was under way harms nobody.
func TestFrozenServer(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		const timeout = time.Second
		nodes := []*node{newNode(t, b.open(t, b.Addr()), timeout), newNode(t, b.open(t, b.Addr()), timeout)}
		ada, bob, eve := newBrowser(t, "ada"), newBrowser(t, "bob"), newBrowser(t, "eve")
		for _, u := range []*browser{ada, bob, eve} {
			u.mustLogin(nodes[0])
			if a := u.add(nodes[1]); a.status != http.StatusOK {
				t.Fatalf("%v", a)
			}
		}

		b.Freeze()
		var pending sync.WaitGroup
		hangs := func(send func() answer) {
			pending.Go(func() {
				if a := send(); a.status != http.StatusServiceUnavailable || a.took > 4*timeout {
					t.Errorf("while the server hangs, with a deadline of %v: %v", timeout, a)
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
			if a := ada.send(nodes[0], "GET", "/plain"); a.status != http.StatusOK || a.took > timeout/2 {
				t.Errorf("a page without a session while the server hangs: %v", a)
			}
		}
		pending.Wait()
		b.Thaw()

		// What had failed may now be done late: it must not undo what comes after it.
		bob.settled(nodes[0])
		until(t, "bob can log out", func() bool { return bob.logout(nodes[1], "/logout").status == http.StatusOK })
		for range 3 {
			for _, n := range nodes {
				for _, u := range []*browser{ada, bob, eve} {
					u.settled(n)
				}
			}
		}
		if a := ada.add(nodes[1]); a.status != http.StatusOK {
			t.Errorf("after the server goes on: %v", a)
		}
		ada.settled(nodes[0])
	})
}
