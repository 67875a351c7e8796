package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a user. It compares every response with the earlier ones; all tests here use it. A
// change that was answered with 200 must be there afterwards; one whose request failed may be there
// or not; a session that ended stays ended; and no user gets the session of another.
//
// Several requests may be in flight, as from several tabs.
type browser struct {
	t      testing.TB
	user   string
	client *http.Client

	mu      sync.Mutex
	acked   int // changes that were answered with 200
	unknown int // changes whose requests failed: each may have been made
	seen    int // the highest count that was read
	ending  bool
	ended   bool
}

// answer is a response; status 0: there was none.
type answer struct {
	status int
	body   string
	err    error
}

func (a answer) String() string {
	return fmt.Sprintf("%d %q, %v", a.status, a.body, a.err)
}

// newBrowser returns a user who is not logged in.
func newBrowser(t testing.TB, user string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, user: user, client: &http.Client{Transport: transport, Jar: jar}}
}

func (b *browser) send(n *node, method, path string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), 2*maxWait)
	defer cancel()
	begin := time.Now()
	defer func() {
		if took := time.Since(begin); took > n.maxWait {
			b.t.Errorf("%s: %s took %v, longer than the deadlines allow", b.user, path, took)
		}
	}()
	r, err := http.NewRequestWithContext(ctx, method, n.url+path, nil)
	if err != nil {
		b.t.Error(err)
		return answer{err: err}
	}
	resp, err := b.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	return answer{resp.StatusCode, strings.TrimSpace(string(body)), nil}
}

// login begins a session. The browser then has only its cookie.
func (b *browser) login(n *node) answer {
	a := b.send(n, "POST", "/login?user="+url.QueryEscape(b.user))
	if a.status == http.StatusOK {
		b.mu.Lock()
		b.acked, b.unknown, b.seen, b.ending, b.ended = 0, 0, 0, false, false
		b.mu.Unlock()
	}
	return a
}

// mustLogin is login without a fault, on a machine that may be slow.
func (b *browser) mustLogin(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can log in", func() bool { return b.login(n).status == http.StatusOK })
}

// mustAdd is add without a fault.
func (b *browser) mustAdd(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can save", func() bool { return b.add(n).status == http.StatusOK })
}

// mustLook is look while reading works.
func (b *browser) mustLook(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can read", func() bool { return b.look(n).status == http.StatusOK })
}

// add increments the count.
func (b *browser) add(n *node) answer {
	b.mu.Lock()
	wasEnded := b.ended
	b.unknown++ // until there is a response
	b.mu.Unlock()
	a := b.send(n, "POST", "/add")
	b.mu.Lock()
	defer b.mu.Unlock()
	switch a.status {
	case http.StatusOK:
		b.acked++
		b.unknown--
		b.same(a)
		if wasEnded {
			b.t.Errorf("%s: counted in a session that had ended: %v", b.user, a)
		}
	case http.StatusUnauthorized:
		b.unknown--
		b.lost(a)
	}
	return a
}

// look reads the count, and compares it with the earlier responses.
func (b *browser) look(n *node) answer {
	b.mu.Lock()
	least, wasEnded := max(b.acked, b.seen), b.ended
	b.mu.Unlock()
	a := b.send(n, "GET", "/whoami")
	b.mu.Lock()
	defer b.mu.Unlock()
	switch a.status {
	case http.StatusOK:
		count := b.same(a)
		if wasEnded {
			b.t.Errorf("%s: a session that had ended is back: %v", b.user, a)
		}
		if count < least {
			b.t.Errorf("%s: %d saves were acknowledged, and only %d are there", b.user, least, count)
		}
		if most := b.acked + b.unknown; count > most {
			b.t.Errorf("%s: %d saves are there, and only %d were asked for", b.user, count, most)
		}
		b.seen = max(b.seen, count)
	case http.StatusUnauthorized:
		b.lost(a)
		b.ended = b.ended || b.ending // whatever was answered to the logout, the session stays ended
	}
	return a
}

// same reads the count from a response, and checks that it is this user's, and consistent.
func (b *browser) same(a answer) (count int) {
	var user string
	var sum int
	if _, err := fmt.Sscanf(a.body, "%s %d %d", &user, &count, &sum); err != nil {
		b.t.Errorf("%s: not an answer: %v", b.user, a)
	}
	if user != b.user {
		b.t.Errorf("%s was given the session of %s: %v", b.user, user, a)
	}
	if sum != count*(count+1)/2 {
		b.t.Errorf("%s: an inconsistent session: %v", b.user, a)
	}
	return count
}

// lost is called when the session was not found.
func (b *browser) lost(a answer) {
	if !b.ended && !b.ending {
		b.t.Errorf("%s: a session with %d acknowledged saves is gone: %v", b.user, b.acked, a)
	}
}

// logout ends the session but keeps its cookie, as a thief would. path is "/logout" or
// "/everywhere".
func (b *browser) logout(n *node, path string) answer {
	at, err := url.Parse(n.url)
	if err != nil {
		b.t.Fatal(err)
	}
	stolen := b.client.Jar.Cookies(at)
	b.mu.Lock()
	b.ending = true
	b.mu.Unlock()
	a := b.send(n, "POST", path)
	for _, c := range stolen {
		c.Path = "/"
	}
	b.client.Jar.SetCookies(at, stolen)
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.status == http.StatusOK {
		b.ended = true
	}
	return a
}

// mustLogout is logout without a fault.
func (b *browser) mustLogout(n *node, path string) {
	b.t.Helper()
	until(b.t, b.user+" can log out", func() bool { return b.logout(n, path).status == http.StatusOK })
}

// settled calls look until there is a response, which look has checked.
func (b *browser) settled(n *node) {
	b.t.Helper()
	until(b.t, b.user+" gets an answer", func() bool {
		s := b.look(n).status
		return s == http.StatusOK || s == http.StatusUnauthorized
	})
}
