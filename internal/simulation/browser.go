package simulation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/nestsession/session"
)

// browser is one of a user's, at work on all nodes.
type browser struct {
	*chance
	world  *world
	number int
	user   int

	cookie string
	login  int // the last that was answered; 0: none
}

// visit sends a request to a node.
func visit(n *node, cookie, path string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, r)
	return w.Result()
}

// seen is which login a response has read, and its count; 0 for none.
func seen(r *http.Response) (login, count int) {
	login, _ = strconv.Atoi(r.Header.Get("X-Login"))
	count, _ = strconv.Atoi(r.Header.Get("X-Count"))
	return login, count
}

// run is a user's visit: some steps, each of one request or of several at once.
func (b *browser) run(steps int) {
	for range steps {
		time.Sleep(b.wait(3 * time.Second))
		if b.login == 0 || b.in(80) {
			b.logIn()
			continue
		}
		paths := []string{b.one()}
		for b.in(500) && len(paths) < 4 {
			paths = append(paths, []string{"/count", "/read"}[b.below(2)])
		}
		b.together(paths)
	}
}

// one is what the user does.
func (b *browser) one() string {
	switch n := b.below(100); {
	case n < 40:
		return "/count"
	case n < 65:
		return "/read"
	case n < 78:
		return "/renew"
	case n < 90:
		return "/stream"
	case n < 96:
		return "/logout"
	}
	return "everywhere"
}

// together sends requests at the same time, to nodes of chance.
func (b *browser) together(paths []string) {
	var done sync.WaitGroup
	var mu sync.Mutex
	cookie := b.cookie
	for _, path := range paths {
		delay, n := b.wait(20*time.Millisecond), b.world.nodes[b.below(len(b.world.nodes))]
		done.Go(func() {
			time.Sleep(delay)
			if path == "everywhere" {
				b.revoke(n)
				return
			}
			r := b.ask(n, cookie, path)
			mu.Lock()
			defer mu.Unlock()
			b.take(r)
		})
	}
	done.Wait()
	if b.cookie == "" {
		b.login = 0
	}
}

// take keeps the cookie of a response.
func (b *browser) take(r *http.Response) {
	for _, c := range r.Cookies() {
		if b.cookie = ""; c.MaxAge >= 0 {
			b.cookie = c.Name + "=" + c.Value
			h := b.world.history
			h.mu.Lock()
			l := h.logins[b.login]
			l.cookies = append(l.cookies, b.cookie)
			h.mu.Unlock()
		}
	}
}

// ask sends a request of a logged-in user, and notes what came of it.
func (b *browser) ask(n *node, cookie, path string) *http.Response {
	h, asked, number := b.world.history, time.Now(), b.login
	h.mu.Lock()
	switch path {
	case "/count":
		h.logins[number].attempts++
	case "/logout":
		h.logins[number].ending = true
	}
	h.mu.Unlock()
	r := visit(n, cookie, path)
	got, count := seen(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("browser %d, node %d: %s since %v: %d, login %d, count %d", b.number, n.index, path, asked.Sub(h.began), r.StatusCode, got, count)
	if path == "/renew" && r.StatusCode != http.StatusOK && time.Since(asked) >= session.DefaultSaveTimeout {
		h.logins[number].unknown = true // the new id may have got lost with the answer
	}
	h.read(got, count, b.number, moment{asked, n.index})
	if r.StatusCode != http.StatusOK || got == 0 {
		return r
	}
	switch path {
	case "/count":
		h.counted(got, asked, moment{time.Now(), n.index})
	case "/logout":
		h.logins[got].end(moment{time.Now(), n.index})
	}
	return r
}

// logIn logs in, which ends the session that the browser was in.
func (b *browser) logIn() {
	h, n := b.world.history, b.world.nodes[b.below(len(b.world.nodes))]
	h.mu.Lock()
	number := len(h.logins) + 1
	h.logins[number] = &login{user: b.user, browser: b.number, ending: h.revoking[b.user] > 0}
	before := h.logins[b.login]
	if before != nil {
		before.ending = true
	}
	h.mu.Unlock()
	r := visit(n, b.cookie, fmt.Sprintf("/login?user=%d&login=%d", b.user, number))
	h.mu.Lock()
	h.note("browser %d, node %d: login %d: %d", b.number, n.index, number, r.StatusCode)
	now := moment{time.Now(), n.index}
	if r.StatusCode == http.StatusOK {
		h.logins[number].since = now.at
		if before != nil {
			before.end(now)
		}
		b.login = number
	}
	h.mu.Unlock()
	if r.StatusCode == http.StatusOK {
		b.take(r)
	} else {
		b.cookie, b.login = "", 0 // the user closes the window
	}
}

// revoke ends all sessions of the user: those that were there before it was asked for.
// Those that come meanwhile may end or not.
func (b *browser) revoke(n *node) {
	h := b.world.history
	h.mu.Lock()
	var mine []*login
	for _, l := range h.logins {
		if l.user != b.user {
			continue
		}
		if l.ending = true; !l.since.IsZero() {
			mine = append(mine, l)
		}
	}
	h.revoking[b.user]++
	h.mu.Unlock()
	_, err := n.sessions.RevokeOwner(b.world.ctx, owner(b.user))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoking[b.user]--
	h.note("browser %d, node %d: user %d logs out everywhere: %v", b.number, n.index, b.user, err)
	if err == nil {
		for _, l := range mine {
			l.end(moment{time.Now(), n.index})
		}
	}
}
