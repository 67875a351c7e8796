package faults

import (
	"net/http"
	"testing"

	"github.com/nestsession/session/tests/internal/relay"
)

// TestSlowConnection: a slow, narrow or fragmented connection makes everything slower, and nothing
// wrong.
func TestSlowConnection(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		p := newProxy(t, b.Addr())
		c := newCrowd(t, newNode(t, b.open(t, p.Listen), unhurried), newNode(t, b.open(t, b.Addr()), unhurried))
		for _, slow := range []struct {
			toxic      string
			attributes map[string]int64
		}{
			{"latency", map[string]int64{"latency": 40, "jitter": 40}},                         // milliseconds
			{"bandwidth", map[string]int64{"rate": 20}},                                        // KB/s
			{"slicer", map[string]int64{"average_size": 3, "size_variation": 2, "delay": 100}}, // bytes, µs
		} {
			p.harm(slow.toxic, "downstream", slow.attributes)
			p.harm(slow.toxic, "upstream", slow.attributes)
			c.saves(30)
			p.heal()
			c.recovered()
		}
		c.check()
		c.secrets(b.password)
	})
}

// TestCutConnection: when a connection is reset, closed in the middle of a reply or refused, the
// requests on it fail; their changes may have been made or not. Then the connection is replaced.
func TestCutConnection(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		p := newProxy(t, b.Addr())
		c := newCrowd(t, newNode(t, b.open(t, p.Listen), hurried), newNode(t, b.open(t, b.Addr()), hurried))
		cuts := map[string]func(){
			"refused": func() {
				p.Stop()
				c.saves(20) // by the other node
				if err := p.Start(); err != nil {
					t.Fatal(err)
				}
			},
			"reset": func() {
				p.harm("reset_peer", "downstream", map[string]int64{"timeout": 20})
				c.saves(20)
				p.heal()
			},
			"in the middle of an answer": func() {
				p.harm("limit_data", "downstream", map[string]int64{"bytes": 700})
				c.saves(20)
				p.heal()
			},
			"in the middle of a command": func() {
				p.harm("limit_data", "upstream", map[string]int64{"bytes": 700})
				c.saves(20)
				p.heal()
			},
		}
		for _, cut := range cuts {
			cut()
			c.recovered()
		}
		c.check()
		c.secrets(b.password)
	})
}

// TestLostAnswers: the server executes the commands, and its replies are lost. Requests end at
// their deadline with the error response, and the changes that were made without a reply are
// consistent.
func TestLostAnswers(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		p := newProxy(t, b.Addr())
		through, direct := newNode(t, b.open(t, p.Listen), hurried), newNode(t, b.open(t, b.Addr()), unhurried)
		ada, eve := newBrowser(t, "ada"), newBrowser(t, "eve")
		ada.mustLogin(through)
		eve.mustLogin(through)
		for _, stream := range []string{"downstream", "upstream"} {
			p.harm("timeout", stream, map[string]int64{"timeout": 0}) // nothing is passed on, and the connection stays open
			if a := ada.add(through); a.status != http.StatusServiceUnavailable {
				t.Errorf("nothing is answered: %v", a)
			}
			if a := ada.send(through, "GET", "/plain"); a.status != http.StatusOK {
				t.Errorf("a page without a session: %v", a)
			}
			if a := eve.logout(through, "/logout"); a.status != http.StatusServiceUnavailable {
				t.Errorf("%v", a)
			}
			for range 2 {
				ada.settled(direct)
				eve.settled(direct)
			}
			p.heal()
			until(t, "ada can save again", func() bool { return ada.add(through).status == http.StatusOK })
			ada.settled(direct)
		}
		until(t, "eve can log out", func() bool { return eve.logout(through, "/logout").status == http.StatusOK })
		eve.settled(through)
		eve.settled(direct)
	})
}

// TestVanishedConnection: the other side of an open connection disappears silently, as behind a
// firewall that drops its state. Requests on it end at their deadline, and new connections replace
// it.
func TestVanishedConnection(t *testing.T) {
	each(t, func(t *testing.T, b backend) {
		r := relay.New(t, b.Addr())
		c := newCrowd(t, newNode(t, b.open(t, r.Addr()), hurried), newNode(t, b.open(t, r.Addr()), hurried))
		for range 2 {
			c.saves(30)
			r.Silence(false)
			c.recovered()
		}
		c.check()
	})
}
