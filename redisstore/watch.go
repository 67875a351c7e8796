package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// tracking passes on the changes that the servers report. It exists before the client, whose
// connections it observes.
//
// A record is only read over a connection on which the server reports each change, from before
// the record is read until the connection ends. When a connection begins or ends, all watchers
// are notified that they may have missed events. The servers report the store's own writes
// too, so a write that is done after its caller has given up is reported like any other.
type tracking struct {
	feed   feed.Feed
	prefix string

	mu    sync.Mutex
	open  map[string]int     // connections to each address
	ours  map[string]written // this store's writes that the server has not reported yet
	queue []change           // to be published after a check
	wake  chan struct{}      // holds a token when the queue is not empty
}

// written is the state that a write of this store gives a record.
type written struct {
	version store.Version
	expires time.Time
}

// change is a reported change that may be this store's own write. Without an id it is a moment:
// all earlier changes are before it in the queue.
type change struct {
	id    string
	ours  written
	whole time.Time
}

// The bounds of tracking's memory. Beyond them a write of this store is reported like another
// program's.
const (
	maxOurs  = 1 << 13
	maxQueue = 1 << 13
)

func newTracking(prefix string) *tracking {
	return &tracking{
		prefix: prefix,
		open:   map[string]int{},
		ours:   map[string]written{},
		wake:   make(chan struct{}, 1),
	}
}

// changed is called by the one goroutine that reads a connection, in the order of the
// connection. keys is nil if the database was flushed or the connection is lost.
func (t *tracking) changed(keys []rueidis.RedisMessage) {
	if keys == nil {
		t.missed()
		return
	}
	for i := range keys {
		key, err := keys[i].ToString()
		if err != nil {
			t.missed()
			return
		}
		if id, ok := strings.CutPrefix(key, t.prefix); ok && !isOwn(t.prefix, key) && !t.setAside(id) {
			t.feed.Send(store.Event{ID: id})
		}
	}
}

// missed notifies the watchers that changes may not have been reported.
func (t *tracking) missed() {
	t.mu.Lock()
	clear(t.ours)
	t.mu.Unlock()
	t.feed.Send(store.Event{})
}

// expect records that a write of this store is about to be sent.
func (t *tracking) expect(r store.Record, v store.Version) {
	if !t.feed.Watched() || r.Expires.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ours) < maxOurs {
		t.ours[r.ID] = written{v, r.Expires}
	}
}

// forget drops a write that was not done, or of which that is not known.
func (t *tracking) forget(id string, v store.Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ours[id].version == v {
		delete(t.ours, id)
	}
}

// setAside puts a change that may be this store's write into the queue.
//
// The server does not report who made a change: its NOLOOP omits what a client has written by a
// command, and not what a script has written. And it reports several changes between two of
// its answers only once. So the store reads the record. If that is as the store has written
// it, the event has the version, and a cache that holds this version keeps it.
func (t *tracking) setAside(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	as, ok := t.ours[id]
	delete(t.ours, id)
	if !ok || len(t.queue) == maxQueue {
		return false
	}
	t.put(change{id: id, ours: as})
	return true
}

// wholeAt puts a moment into the queue.
func (t *tracking) wholeAt(moment time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(change{whole: moment})
}

func (t *tracking) put(c change) {
	t.queue = append(t.queue, c)
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (t *tracking) take() []change {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queue
	t.queue = nil
	return queue
}

// connected returns the addresses to which there are connections.
func (t *tracking) connected() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]bool, len(t.open))
	for addr := range t.open {
		all[addr] = true
	}
	return all
}

// conn notifies the watchers of its end before it closes. So no read over its successor
// precedes that event.
type conn struct {
	net.Conn
	close func() error
}

func (c *conn) Close() error { return c.close() }

// dialer makes connections with the dialer of o, and counts them.
func (t *tracking) dialer(o rueidis.ClientOption) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, addr string, d *net.Dialer, config *tls.Config) (net.Conn, error) {
		raw, err := dialAs(ctx, o, addr, d, config)
		if err != nil {
			return nil, err
		}
		t.count(addr, 1)
		t.missed()
		return &conn{raw, sync.OnceValue(func() error {
			t.missed()
			t.count(addr, -1)
			return raw.Close()
		})}, nil
	}
}

func (t *tracking) count(addr string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[addr] += n; t.open[addr] == 0 {
		delete(t.open, addr)
	}
}

// dialAs does what rueidis does without DialCtxFn.
func dialAs(ctx context.Context, o rueidis.ClientOption, addr string, d *net.Dialer, config *tls.Config) (c net.Conn, err error) {
	switch {
	case o.DialCtxFn != nil:
		return o.DialCtxFn(ctx, addr, d, config)
	case o.DialFn != nil:
		return o.DialFn(addr, d, config)
	}
	if config != nil {
		c, err = (&tls.Dialer{NetDialer: d, Config: config}).DialContext(ctx, "tcp", addr)
	} else {
		c, err = d.DialContext(ctx, "tcp", addr)
	}
	if err == nil && o.DisableTCPNoDelay {
		disableNoDelay(c)
	}
	return c, err
}

// disableNoDelay does what rueidis cannot do for a conn, whose type it does not know.
func disableNoDelay(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(false)
	}
}

// watched is what Unwrap returns of a store that was opened.
type watched struct {
	store.Store
	tracking *tracking
}

// Watch implements [store.Watcher].
func (w watched) Watch(ctx context.Context, fn func(store.Event)) error {
	return w.tracking.feed.Watch(ctx, fn)
}

// Unwrap returns a store that is a [store.Watcher] if [Open] has made s, else nil.
func (s *Store) Unwrap() store.Store {
	if s.tracking == nil {
		return nil
	}
	return watched{s, s.tracking}
}

// checkDelay is how long a change waits for others, so that all are checked in one round trip.
const checkDelay = 5 * time.Millisecond

// publish publishes what is in the queue, in order, until ctx ends.
func (s *Store) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.tracking.wake:
		}
		if !backoff.Pause(ctx, checkDelay) {
			return
		}
		for queue := s.tracking.take(); len(queue) > 0; {
			n := 0
			for n < min(len(queue), page) && queue[n].id != "" {
				n++
			}
			s.check(ctx, queue[:n])
			if queue = queue[n:]; len(queue) > 0 && queue[0].id == "" {
				s.tracking.feed.Send(store.Event{Whole: queue[0].whole})
				queue = queue[1:]
			}
		}
	}
}

// check publishes changes that may be the store's own writes, after it has read the records.
func (s *Store) check(ctx context.Context, changes []change) {
	if len(changes) == 0 {
		return
	}
	var cmds rueidis.Commands
	for _, c := range changes {
		cmds = s.layout.reads(cmds, s.key(c.id))
	}
	answers := send(ctx, s.client, true, cmds)
	each := len(cmds) / len(changes)
	for i, c := range changes {
		r, err := s.layout.record(c.id, answers[i*each:(i+1)*each])
		e := store.Event{ID: c.id, Ended: rueidis.IsRedisNil(err)}
		if err == nil && r.Version == c.ours.version && r.Expires.Sub(c.ours.expires).Abs() < s.layout.expiryError() {
			e.Version = r.Version
		}
		s.tracking.feed.Send(e)
	}
}
