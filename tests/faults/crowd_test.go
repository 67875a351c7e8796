package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is users who do everything that users do, continuously and concurrently, at several nodes,
// with two tabs each.
type crowd struct {
	t       testing.TB
	nodes   []*node
	stay    []*browser // log in once
	ended   endings
	acked   atomic.Int64 // acknowledged saves
	stop    chan struct{}
	running sync.WaitGroup
}

// endings are users who have logged out and kept their cookie.
type endings struct {
	mu  sync.Mutex
	all []*browser
}

func (e *endings) add(b *browser) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, b)
}

// newCrowd logs users in, and starts them.
func newCrowd(t testing.TB, nodes ...*node) *crowd {
	t.Helper()
	c := &crowd{t: t, nodes: nodes, stop: make(chan struct{})}
	for i := range 6 {
		b := newBrowser(t, fmt.Sprintf("stays%d", i))
		b.mustLogin(nodes[i%len(nodes)])
		c.stay = append(c.stay, b)
		for range 2 {
			c.running.Go(func() { c.tab(b) })
		}
	}
	for i := range 2 {
		c.running.Go(func() { c.guests(i) })
	}
	t.Cleanup(c.end)
	return c
}

// node returns a random node.
func (c *crowd) node() *node { return c.nodes[rand.IntN(len(c.nodes))] }

// pause waits a little, so that requests that fail at once do not spin, and reports whether the
// crowd goes on.
func (c *crowd) pause(after answer) bool {
	wait := time.Duration(0)
	if after.status != http.StatusOK {
		wait = 5 * time.Millisecond
	}
	select {
	case <-c.stop:
		return false
	case <-time.After(wait):
		return true
	}
}

// tab counts, and looks now and then.
func (c *crowd) tab(b *browser) {
	for {
		var a answer
		if rand.IntN(4) == 0 {
			a = b.look(c.node())
		} else if a = b.add(c.node()); a.status == http.StatusOK {
			c.acked.Add(1)
		}
		if !c.pause(a) {
			return
		}
	}
}

// guests come one after the other, log in, count, log out, and try their cookie again.
func (c *crowd) guests(of int) {
	for i := 0; ; i++ {
		b := newBrowser(c.t, fmt.Sprintf("guest%d-%d", of, i))
		a := b.login(c.node())
		for range 3 {
			if a.status == http.StatusOK {
				a = b.add(c.node())
			}
		}
		if a.status == http.StatusOK {
			if a = b.logout(c.node(), []string{"/logout", "/everywhere"}[i%2]); a.status == http.StatusOK {
				b.look(c.node())
			}
			c.ended.add(b)
		}
		b.client.CloseIdleConnections()
		if !c.pause(a) {
			return
		}
	}
}

// saves waits until so many more saves were acknowledged.
func (c *crowd) saves(n int64) {
	c.t.Helper()
	from := c.acked.Load()
	until(c.t, fmt.Sprintf("%d more saves", n), func() bool { return c.acked.Load() >= from+n })
}

// recovered waits until each user who stays has saved again.
func (c *crowd) recovered() {
	c.t.Helper()
	for _, b := range c.stay {
		b.mu.Lock()
		from := b.acked
		b.mu.Unlock()
		until(c.t, b.user+" can save again", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.acked > from
		})
	}
}

// end lets the users finish their current requests.
func (c *crowd) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.running.Wait()
}

// check ends the crowd, and compares all stored counts with all responses, at every node.
func (c *crowd) check() {
	c.t.Helper()
	c.end()
	for _, n := range c.nodes {
		for _, b := range append(c.stay, c.ended.all...) {
			b.settled(n)
		}
	}
	failed := 0
	for _, b := range c.stay {
		failed += b.unknown
	}
	c.t.Logf("%d saves acknowledged, %d failed, %d logouts", c.acked.Load(), failed, len(c.ended.all))
	if len(c.ended.all) == 0 {
		c.t.Error("nobody logged out, so the test does not cover ended sessions")
	}
}

// secrets fails the test if the nodes' logs, or one of the texts, contain the password or a cookie.
func (c *crowd) secrets(password string, texts ...string) {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.log != nil {
			texts = append(texts, n.log.String())
		}
	}
	hidden := []string{password}
	for _, b := range c.stay {
		at, err := url.Parse(c.nodes[0].url)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, cookie := range b.client.Jar.Cookies(at) {
			hidden = append(hidden, cookie.Value)
		}
	}
	for _, text := range texts {
		for _, secret := range hidden {
			if secret != "" && strings.Contains(text, secret) {
				c.t.Errorf("%q is in the output: %s", secret, text)
			}
		}
	}
}
