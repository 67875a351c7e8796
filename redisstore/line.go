package redisstore

import (
	"context"
	"sync"

	"github.com/redis/rueidis"
)

// line is where calls wait for their turn. What comes while others are on their way
// goes together when one of those is back: the more callers there are, the fewer
// times a server is written to, and that is most of what a call costs it and us.
// rueidis sends together as well, but only what comes while it is writing. A call that
// comes alone goes at once.
//
// Reads and writes stand in lines of their own, since rueidis tries again after a
// lost connection if it was all reads.
type line struct {
	client rueidis.Client

	mu      sync.Mutex
	waiting []*call
	trips   int // on their way
}

const (
	maxTrips    = 2   // while one is on its way, the next is got ready and sent
	maxTogether = 256 // calls of a trip: the first does not wait for thousands of others
)

// trip is some calls on their way together.
type trip struct {
	ctx    context.Context
	cancel context.CancelFunc
	calls  []*call
	left   int // of the calls, under the line's lock
}

// line is the one that the commands stand in. In a Cluster, where commands that go
// together wait for the slowest server, each has one to itself; and so have the many
// of a listing.
func (s *Store) line(client rueidis.Client, cmds rueidis.Commands) *line {
	switch {
	case s.cluster || client != s.client || len(cmds) > 2:
		return &line{client: client}
	case cmds[0].IsRetryable():
		return &s.reads
	}
	return &s.writes
}

// join lets the call stand in line.
func (l *line) join(c *call) {
	l.mu.Lock()
	l.waiting = append(l.waiting, c)
	goes := l.trips < maxTrips
	if goes {
		l.trips++
	}
	l.mu.Unlock()
	if goes {
		go l.run()
	}
}

// leave takes the call back, if it has not been sent. A trip for which nobody waits is
// broken off.
func (l *line) leave(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.left = true
	if t := c.trip; t != nil {
		if t.left++; t.left == len(t.calls) {
			t.cancel()
		}
	}
}

// next is a trip with those who wait, or nil.
func (l *line) next() *trip {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t trip
	taken := 0
	for _, c := range l.waiting {
		if len(t.calls) == maxTogether {
			break
		}
		taken++
		if !c.left {
			c.trip = &t
			t.calls = append(t.calls, c)
		}
	}
	rest := copy(l.waiting, l.waiting[taken:])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
	if len(t.calls) == 0 {
		l.trips--
		return nil
	}
	// A tracer that looks for its own in the context sees the first caller's.
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(t.calls[0].ctx))
	return &t
}

// run makes trips until nobody waits.
func (l *line) run() {
	for t := l.next(); t != nil; t = l.next() {
		l.send(t)
		t.cancel()
	}
}

func (l *line) send(t *trip) {
	cmds := t.calls[0].cmds
	for i, c := range t.calls[1:] {
		if i == 0 {
			cmds = append(make(rueidis.Commands, 0, len(cmds)*len(t.calls)), cmds...)
		}
		cmds = append(cmds, c.cmds...)
	}
	var answers []rueidis.RedisResult
	if len(cmds) == 1 {
		answers = []rueidis.RedisResult{l.client.Do(t.ctx, cmds[0])}
	} else {
		answers = l.client.DoMulti(t.ctx, cmds...)
	}
	for _, c := range t.calls {
		n := len(c.cmds)
		c.answers, answers = answers[:n:n], answers[n:]
		c.done <- struct{}{}
	}
}
