package simulation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session"
)

// browser is a browser of a user, who uses all nodes.
type browser struct {
	*chance
	world  *world
	number int
	user   int
	flying sync.WaitGroup // requests

	mu     sync.Mutex
	jar    jar
	newest time.Time // when the store made the change that the newest response reports
	life   int       // the session that the user expects to be in; 0: none
	past   []string  // cookies that the browser has sent
	sent   int       // requests
}

// run is a user's visit: several steps, each with one request or several concurrent ones.
func (b *browser) run(steps int) {
	for range steps {
		time.Sleep(b.wait(3 * time.Second))
		if b.in(40) {
			time.Sleep(b.wait(3 * grace)) // the user pauses
		}
		if b.in(150) {
			b.steal()
		}
		main := b.send(b.one())
		for range 3 {
			if !b.in(400) {
				break
			}
			b.send([]string{"/add", "/add", "/read", "/read", "/renew"}[b.below(5)])
		}
		if b.in(800) {
			<-main // the user waits for the responses
		}
	}
	b.flying.Wait()
}

// one is one action of the user.
func (b *browser) one() string {
	h := b.world.history
	b.mu.Lock()
	life := b.life
	b.mu.Unlock()
	h.mu.Lock()
	visitor := life != 0 && h.lives[life].visitor
	h.mu.Unlock()
	table := "add add add add read read renew renew stream stream login regenerate logout everywhere other read"
	switch {
	case life == 0:
		table = "add add add login login read regenerate"
	case visitor:
		table = "add add add login login login read renew stream logout other"
	}
	choice := strings.Fields(table)
	return "/" + choice[b.below(len(choice))]
}

// send sends a request to a random node. The channel is closed when the response has arrived or was
// lost; the way takes a random time.
func (b *browser) send(path string) <-chan struct{} {
	out, back := 20*time.Millisecond, 20*time.Millisecond
	if b.in(100) {
		out = time.Second
	}
	if b.in(200) {
		back = 3 * time.Second
	}
	out, back = b.wait(out), b.wait(back)
	lost := b.in(30)
	arrived := make(chan struct{})
	t := b.ask(path, b.world.nodes[b.below(len(b.world.nodes))])
	b.flying.Go(func() {
		defer close(arrived)
		time.Sleep(out)
		if path == "/everywhere" {
			b.revoke(t)
			return
		}
		t.visit()
		b.world.history.answered(b, t)
		time.Sleep(back)
		if !lost {
			b.take(t)
		}
	})
	return arrived
}

// ask makes a request with the browser's cookies.
func (b *browser) ask(path string, n *node) *trip {
	h := b.world.history
	b.mu.Lock()
	b.sent++
	t := &trip{node: n, cookie: b.jar.header(page), life: b.life, asked: time.Now(), origin: fmt.Sprintf("%d-%03d", b.number, b.sent)}
	if t.cookie != "" {
		b.past = append(b.past, t.cookie)
	}
	b.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	user := b.user
	if path == "/other" { // somebody else logs in with the same browser
		path, user = "/login", (b.user+1)%users
	}
	switch path {
	case "/login", "/regenerate":
		n := h.begin(&life{user: user, browser: b.number})
		drops := path == "/regenerate" || h.userOf(t) != nobody && h.userOf(t) != user
		h.lives[n].line = n
		if c := h.issued[t.cookie]; c != nil && !drops {
			h.lives[n].line = h.lives[c.life].line
		}
		h.leaving(t, drops, reasons[path])
		if h.revoking[user] > 0 { // this revocation may find that session too
			h.leave(h.lives[n], true, session.EventRevoked)
		}
		t.path = fmt.Sprintf("%s?user=%d&number=%d", path, user, n)
	case "/add":
		n := h.begin(&life{visitor: true, browser: b.number, user: nobody})
		t.path = fmt.Sprintf("%s?number=%d", path, n)
	case "/logout":
		h.leaving(t, true, session.EventDestroyed)
		fallthrough
	default:
		t.path = path
	}
	return t
}

// take applies a response to the browser. Of the responses that report a change in the store, an
// older one counts as having arrived before a newer one; the others count when they arrive.
func (b *browser) take(t *trip) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := t.header["Set-Cookie"]
	wrote := t.wrote()
	if len(lines) > 0 && !wrote.IsZero() {
		if wrote.Before(b.newest) {
			return
		}
		b.newest = wrote
	}
	for _, line := range lines {
		b.jar.take(page, line)
	}
	h := b.world.history
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.issued[t.given()]
	switch {
	case t.ok() && c != nil && !wrote.IsZero():
		b.life = c.life
		h.lives[b.life].known = true
	case t.ok() && t.is("/logout") && t.seen.life == b.life, t.seen.ran && t.seen.life == 0 && t.life == b.life && b.life != 0 && h.lives[b.life].ending:
		b.life = 0
	case t.ok() && t.is("/logout") && h.ended(t) && b.jar.header(page) == "":
		// Requests in parallel have begun two sessions. The user has logged out of one, and
		// that answer clears the cookie of the other, as promise 13 allows it.
		b.life = 0
	}
}

// steal uses a cookie that was sent earlier, as a thief would, and reads what it leads to.
func (b *browser) steal() {
	b.mu.Lock()
	past := len(b.past)
	b.mu.Unlock()
	if past == 0 {
		return
	}
	b.mu.Lock()
	t := &trip{path: "/read", node: b.world.nodes[b.below(len(b.world.nodes))], cookie: b.past[b.below(past)], asked: time.Now()}
	b.mu.Unlock()
	b.flying.Go(func() {
		t.visit()
		b.world.history.answered(b, t)
	})
}

// revoke ends all sessions of the user that existed when it was called. Sessions that begin
// meanwhile may end or not.
func (b *browser) revoke(t *trip) {
	h := b.world.history
	h.mu.Lock()
	var mine []*life
	for _, l := range h.inOrder() {
		if l.user != b.user {
			continue
		}
		h.leave(l, true, session.EventRevoked)
		if !l.since.IsZero() {
			mine = append(mine, l)
		}
	}
	h.revoking[b.user]++
	h.mu.Unlock()
	_, err := t.node.sessions.RevokeOwner(context.WithValue(b.world.ctx, tripKey{}, t), owner(b.user))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoking[b.user]--
	h.note("browser %d, node %d: user %d logs out everywhere: %v", b.number, t.node.index, b.user, err)
	for _, l := range h.inOrder() {
		if l.user == b.user && t.failed {
			l.shaky = true
		}
	}
	if err == nil {
		for _, l := range mine {
			l.end(moment{time.Now(), t.node.index})
		}
	}
}
