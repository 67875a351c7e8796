package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nestsession/session"
)

// history is what was answered to whom, and what that says of the promises.
type history struct {
	mu     sync.Mutex
	began  time.Time
	logins map[int]*login
	wrong  []string
	trace  []string

	revoking map[int]int // by user: how many logouts everywhere are under way
}

// login is the life of one session, from a login on.
type login struct {
	user     int
	browser  int
	since    time.Time // when the login was answered
	counts   []moment  // changes that were acknowledged
	attempts int       // changes that were asked for
	ended    *moment   // its end, acknowledged
	ending   bool      // somebody has tried to end it
	cookies  []string  // all it ever had
	streams  []*following
	unknown  bool // a renewal was given up before the store had said what came of it
}

type moment struct {
	at   time.Time
	node int
}

// following is a stream that is open.
type following struct {
	node  int
	since time.Time
	ended time.Time
	cause error
}

func (h *history) broken(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf("%v: ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

func (h *history) note(format string, args ...any) {
	h.trace = append(h.trace, fmt.Sprintf("%v: ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

// read holds what a request saw against what it must have seen.
func (h *history) read(number, count, browser int, at moment) {
	if number == 0 {
		return
	}
	l := h.logins[number]
	if l == nil || l.browser != browser {
		h.broken("browser %d is in the session of login %d", browser, number)
		return
	}
	if e := l.ended; e != nil && at.at.After(e.at.Add(lag(*e, at))) {
		h.broken("login %d, which ended on node %d at %v, is known on node %d to a request of %v", number, e.node, e.at.Sub(h.began), at.node, at.at.Sub(h.began))
	}
	least := 0
	for _, c := range l.counts {
		if at.at.After(c.at.Add(lag(c, at))) {
			least++
		}
	}
	if count < least || count > l.attempts {
		h.broken("login %d on node %d: a request of %v read %d, want %d to %d", number, at.node, at.at.Sub(h.began), count, least, l.attempts)
	}
}

// lag is for how long a node may not know what another has done.
func lag(done, seen moment) time.Duration {
	if done.node == seen.node {
		return 0
	}
	return maxStale
}

// counted notes a change that was acknowledged.
func (h *history) counted(number int, asked time.Time, done moment) {
	l := h.logins[number]
	if l.ended != nil && asked.After(l.ended.at) {
		h.broken("login %d has ended, and was changed on node %d", number, done.node)
	}
	l.counts = append(l.counts, done)
}

func (l *login) end(at moment) {
	if l.ending = true; l.ended == nil {
		l.ended = &at
	}
}

// follow watches a stream, whose session was read a moment ago.
func (h *history) follow(number, node int, ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := &following{node: node, since: time.Now()}
	h.logins[number].streams = append(h.logins[number].streams, f)
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		f.ended, f.cause = time.Now(), context.Cause(ctx)
		if l := h.logins[number]; !l.ending && !errors.Is(f.cause, session.ErrClosed) {
			h.broken("login %d lives, and its stream on node %d ended: %v", number, node, f.cause)
		}
	})
}

// settle checks, when the network is whole again, what all that has come to. nodes
// answer from the store then.
func (h *history) settle(visit func(cookie, path string) *http.Response) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(h.logins)) {
		l := h.logins[number]
		for i, c := range l.cookies {
			h.mu.Unlock() // a stream may end meanwhile
			got, count := seen(visit(c, "/read"))
			h.mu.Lock()
			last := i == len(l.cookies)-1
			switch {
			case got != 0 && got != number:
				h.broken("the cookie of login %d leads to login %d", number, got)
			case got != 0 && l.ended != nil:
				h.broken("login %d lives again at the end", number)
			case got != 0 && !last:
				h.broken("login %d answers to an old id when the grace is over", number)
			case got != 0 && (count < len(l.counts) || count > l.attempts):
				h.broken("login %d has counted %d, want %d to %d", number, count, len(l.counts), l.attempts)
			case got == 0 && last && !l.ending && !l.since.IsZero() && !l.unknown:
				h.broken("login %d is gone, and nobody ended it", number)
			}
		}
		for _, f := range l.streams {
			switch {
			case l.ended == nil:
			case f.ended.IsZero():
				h.broken("login %d has ended, and its stream on node %d has not", number, f.node)
			case f.ended.After(latest(l.ended.at, f.since).Add(recheck + 10*time.Second)):
				h.broken("login %d ended at %v, and its stream on node %d at %v", number, l.ended.at.Sub(h.began), f.node, f.ended.Sub(h.began))
			}
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
