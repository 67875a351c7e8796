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

// browser is a user whose every answer is held against what was answered before: the
// oracle of all tests here. What a 200 acknowledged must stay; what failed may have
// been done or not; a session that ended stays so; and nobody is ever somebody else.
//
// Several requests may be under way at once, as from several tabs.
type browser struct {
	t      testing.TB
	user   string
	client *http.Client

	mu      sync.Mutex
	acked   int // counts that were answered with 200
	unknown int // those that failed: each may have been done
	seen    int // the most that was read
	ending  bool
	ended   bool
}

// answer is what came back; status 0: nothing did.
type answer struct {
	status int
	body   string
	err    error
}

func (a answer) String() string {
	return fmt.Sprintf("%d %q, %v", a.status, a.body, a.err)
}

// newBrowser is a user who has not logged in.
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
			b.t.Errorf("%s: %s took %v: does it keep to its deadlines?", b.user, path, took)
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

// login begins a session, which is the only one that the browser has a cookie of.
func (b *browser) login(n *node) answer {
	a := b.send(n, "POST", "/login?user="+url.QueryEscape(b.user))
	if a.status == http.StatusOK {
		b.mu.Lock()
		b.acked, b.unknown, b.seen, b.ending, b.ended = 0, 0, 0, false, false
		b.mu.Unlock()
	}
	return a
}

// mustLogin is login where nothing is wrong, except that the machine may be slow.
func (b *browser) mustLogin(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can log in", func() bool { return b.login(n).status == http.StatusOK })
}

// mustAdd is add where nothing is wrong.
func (b *browser) mustAdd(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can save", func() bool { return b.add(n).status == http.StatusOK })
}

// mustLook is look where nothing is wrong with reading.
func (b *browser) mustLook(n *node) {
	b.t.Helper()
	until(b.t, b.user+" can read", func() bool { return b.look(n).status == http.StatusOK })
}

// add counts one up.
func (b *browser) add(n *node) answer {
	b.mu.Lock()
	wasEnded := b.ended
	b.unknown++ // until it is answered
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

// look reads, and holds what it finds against what was answered.
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
		b.ended = b.ended || b.ending // whatever became of the logout, it stays so
	}
	return a
}

// same reads the count and sees that it is this user's, and whole.
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
		b.t.Errorf("%s: half a session: %v", b.user, a)
	}
	return count
}

// lost is called where the session was not found.
func (b *browser) lost(a answer) {
	if !b.ended && !b.ending {
		b.t.Errorf("%s: a session with %d acknowledged saves is gone: %v", b.user, b.acked, a)
	}
}

// logout ends the session but, as a thief would, keeps its cookie. path is "/logout" or
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

// mustLogout is logout where nothing is wrong.
func (b *browser) mustLogout(n *node, path string) {
	b.t.Helper()
	until(b.t, b.user+" can log out", func() bool { return b.logout(n, path).status == http.StatusOK })
}

// settled looks until there is an answer, which [browser.look] has held against the
// past.
func (b *browser) settled(n *node) {
	b.t.Helper()
	until(b.t, b.user+" gets an answer", func() bool {
		s := b.look(n).status
		return s == http.StatusOK || s == http.StatusUnauthorized
	})
}
