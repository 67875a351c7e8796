// Package watch notifies many waiters of the end of their session. All share one watch of
// the store and two goroutines.
//
// An event of the store is only a hint: a look at the session decides whether it has ended. So
// an event may come late, twice or in the wrong order. The hub looks again after a while, in
// case an event never comes.
package watch

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session/internal/digest"
	"github.com/nestsession/session/store"
)

// State is the state of a session.
type State struct {
	Key   string    // the record's, which changes with a renewal
	Until time.Time // zero: it does not expire
	Ended error     // why it has ended; nil if it has not
}

// Config is the configuration of a [Hub].
type Config struct {
	// Look returns the state of the session that was last seen under key with that
	// expiry. An error is the store's, and does not mean that the session has ended.
	Look func(ctx context.Context, key string, until time.Time) (State, error)

	// Watch is the store, or nil if it is no Watcher.
	Watch store.Watcher

	// Recheck is how long after the last look the hub looks again without an event.
	Recheck time.Duration

	// Now is the clock for the expiries.
	Now func() time.Time
}

// Hub keeps the waiters of a node. Its goroutines run while there are any.
type Hub struct {
	Config

	mu       sync.Mutex
	sessions map[string]*session // by key
	digests  digest.Index        // of the keys
	due      schedule            // the sessions by when to look next
	queue    []*session          // to look at now
	workers  int
	stop     context.CancelFunc // ends the goroutines; nil if there are none
	ctx      context.Context    // of the goroutines
	wake     chan struct{}      // holds a token when due has a new first
	closed   error
}

// session is a session that has waiters.
type session struct {
	key     string
	until   time.Time
	next    time.Time // when to look, on the system's clock
	place   int       // in due; -1 if it has no waiters any more
	tries   int       // failed looks since the last that succeeded
	waiting bool      // in queue
	looking bool
	waiters map[*Waiter]struct{}
}

// Listener is notified about a session. Its methods run in a goroutine of the hub, and must
// not block.
type Listener interface {
	Ended(cause error)      // called once, as the last
	Moved(successor string) // the session was renewed, and its record is under this key
}

// Waiter is a Listener's place in the hub.
type Waiter struct {
	listener Listener
	session  *session // nil after Ended or Remove
}

// New returns a hub without waiters.
func New(c Config) *Hub {
	return &Hub{Config: c, sessions: map[string]*session{}, wake: make(chan struct{}, 1)}
}

// Add makes l a waiter for the session under key, which expires at until. [Hub.Remove] ends
// that.
func (h *Hub) Add(key string, until time.Time, l Listener) *Waiter {
	h.mu.Lock()
	if cause := h.closed; cause != nil {
		h.mu.Unlock()
		l.Ended(cause)
		return &Waiter{}
	}
	defer h.mu.Unlock()
	w := &Waiter{listener: l}
	h.join(w, key, until)
	if h.stop == nil {
		h.start()
	}
	return w
}

// Remove removes the waiter, if it was not notified yet.
func (h *Hub) Remove(w *Waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := w.session
	if s == nil {
		return
	}
	w.session = nil
	delete(s.waiters, w)
	if len(s.waiters) == 0 {
		h.forget(s)
	}
}

// End notifies the waiters of a session that is known to have ended.
func (h *Hub) End(key string, cause error) {
	h.mu.Lock()
	waiters := h.forgetAll(h.sessions[key])
	h.mu.Unlock()
	notify(waiters, cause)
}

// Move reports to the hub that a session was renewed.
func (h *Hub) Move(key, successor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[key]; s != nil {
		h.follow(s, State{Key: successor, Until: s.until})
	}
}

// Close notifies all waiters, and later ones in Add, and ends the goroutines.
func (h *Hub) Close(cause error) {
	h.mu.Lock()
	var waiters []*Waiter
	for _, s := range h.sessions {
		waiters = append(waiters, h.forgetAll(s)...)
	}
	h.closed = cause
	h.mu.Unlock()
	notify(waiters, cause)
}

// join makes w wait for the session under key. The hub looks at the session soon: no event
// reports what happened before it had a waiter.
func (h *Hub) join(w *Waiter, key string, until time.Time) {
	s := h.sessions[key]
	if s == nil {
		s = &session{key: key, until: until, waiters: map[*Waiter]struct{}{}}
		h.sessions[key] = s
		h.digests.Add(key)
		h.due.add(s, time.Now().Add(h.Recheck))
	}
	w.session = s
	s.waiters[w] = struct{}{}
	h.enqueue(s)
}

// forgetAll forgets a session and returns its waiters.
func (h *Hub) forgetAll(s *session) (waiters []*Waiter) {
	if s == nil {
		return nil
	}
	for w := range s.waiters {
		w.session = nil
		waiters = append(waiters, w)
	}
	h.forget(s)
	return waiters
}

func (h *Hub) forget(s *session) {
	delete(h.sessions, s.key)
	h.digests.Remove(s.key)
	h.due.remove(s)
	s.waiters = nil
	if len(h.sessions) == 0 && h.stop != nil {
		h.stop()
		h.stop, h.queue = nil, nil
	}
}

func notify(waiters []*Waiter, cause error) {
	for _, w := range waiters {
		w.listener.Ended(cause)
	}
}
