package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// tracking is what the servers tell of changes. It begins before the client whose
// connections it hears.
//
// A record can only be read over a connection that is told of every change from before
// the record was read until the connection ends; and when one ends or begins, all who
// watch are told that they may have missed something. The servers tell of the store's
// own writes as well, so that one whose caller is gone, and which is done later, is heard
// of like any other.
type tracking struct {
	feed   feed.Feed
	prefix string

	mu    sync.Mutex
	open  map[string]int     // connections to each address
	ours  map[string]written // writes that the server has not told of
	queue []told             // what is told once it has been looked at
	wake  chan struct{}      // holds a token when there is something in queue
}

// written is what a write of this store makes of a record.
type written struct {
	version store.Version
	expires time.Time
}

// told is a change of an id that may be a write of ours; or a moment, without an id,
// before which all changes are further ahead in the queue.
type told struct {
	id    string
	ours  written
	whole time.Time
}

// The bounds of what tracking keeps. Beyond them a write of ours is told like one of
// others'.
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

// changed is called by the one goroutine that reads a connection: what comes after it on
// the connection is heard later. No keys at all: the database was flushed, or the
// connection is lost.
func (t *tracking) changed(keys []rueidis.RedisMessage) {
	if keys == nil {
		t.lost()
		return
	}
	for i := range keys {
		key, err := keys[i].ToString()
		if err != nil {
			t.lost()
			return
		}
		if id, ok := strings.CutPrefix(key, t.prefix); ok && !isOwn(t.prefix, key) && !t.setAside(id) {
			t.feed.Send(store.Event{ID: id})
		}
	}
}

// lost tells that some changes may not have been told.
func (t *tracking) lost() {
	t.mu.Lock()
	clear(t.ours)
	t.mu.Unlock()
	t.feed.Send(store.Event{})
}

// expect notes that a write of ours is about to be sent.
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

// dismiss notes that it was not done, or that nobody knows.
func (t *tracking) dismiss(id string, v store.Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ours[id].version == v {
		delete(t.ours, id)
	}
}

// setAside puts a change that may be ours into the queue.
//
// The server does not say whose change it tells of: its NOLOOP leaves out what a client
// has written by itself, and not what a script has. And it tells once of several changes
// between two of its answers. So the record is looked at, and if it is as we have written
// it, this is told with its version, so that who keeps that need not drop it.
func (t *tracking) setAside(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	as, ok := t.ours[id]
	delete(t.ours, id)
	if !ok || len(t.queue) == maxQueue {
		return false
	}
	t.put(told{id: id, ours: as})
	return true
}

// whole puts a moment into the queue.
func (t *tracking) whole(moment time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(told{whole: moment})
}

func (t *tracking) put(one told) {
	t.queue = append(t.queue, one)
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take is what is in the queue.
func (t *tracking) take() []told {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queue
	t.queue = nil
	return queue
}

// connected reports to which addresses there are connections.
func (t *tracking) connected() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string]bool, len(t.open))
	for addr := range t.open {
		all[addr] = true
	}
	return all
}

// conn tells of its end before it ends, so that nothing read over its successor is
// told of as whole before that.
type conn struct {
	net.Conn
	close func() error
}

func (c *conn) Close() error { return c.close() }

// dialer makes connections as o says, and counts them.
func (t *tracking) dialer(o rueidis.ClientOption) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, addr string, d *net.Dialer, config *tls.Config) (net.Conn, error) {
		raw, err := dialAs(ctx, o, addr, d, config)
		if err != nil {
			return nil, err
		}
		t.count(addr, 1)
		t.lost()
		return &conn{raw, sync.OnceValue(func() error {
			t.lost()
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

// dialAs is what rueidis would do by itself.
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

// disableNoDelay does what rueidis cannot, since it does not see what the connection is.
func disableNoDelay(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(false)
	}
}
