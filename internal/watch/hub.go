// Package watch tells many waiters that a session has ended, with one watch of the
// store for all of them, two goroutines at rest and none for each.
//
// What it hears from the store it takes as a hint only: whether a session has ended is
// decided by looking. So an event that comes late, twice or in the wrong order does no
// harm, and one that never comes is made good by looking again after a while.
package watch

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session/internal/digest"
	"github.com/nestsession/session/store"
)

// State is where a session is.
type State struct {
	Key   string    // the record's, which is another one after a renewal
	Until time.Time // zero: it does not expire
	Ended error     // why it is over; nil: it lives
}

// Config is what a [Hub] works with.
type Config struct {
	// Look finds out where the session is that was last seen under key with that
	// expiry. An error is the store's, and says nothing of the session.
	Look func(ctx context.Context, key string, until time.Time) (State, error)

	// Watch is the store, nil if it is no Watcher.
	Watch store.Watcher

	// Recheck is for how long an end may go unnoticed of which no event tells.
	Recheck time.Duration

	// Now is the clock of the expiries.
	Now func() time.Time
}

// Hub keeps the waiters of a node. It works while there are any.
type Hub struct {
	Config

	mu       sync.Mutex
	sessions map[string]*session // by key
	digests  digest.Index        // of the keys
	due      schedule            // the same, by when to look next
	queue    []*session          // to be looked at now
	workers  int
	stop     context.CancelFunc // ends what runs; nil: nothing does
	ctx      context.Context    // of what runs
	wake     chan struct{}      // holds a token when due has a new first
	closed   error
}

// session is one that somebody waits for.
type session struct {
	key     string
	until   time.Time
	next    time.Time // when to look, on the system's clock
	place   int       // in due; -1: gone
	tries   int       // looks that have failed since the last that did not
	waiting bool      // in queue
	looking bool
	waiters map[*Waiter]struct{}
}

// Listener is who waits for a session, told by a goroutine of the hub's that must not
// be held up.
type Listener interface {
	Ended(cause error)      // once, and the last
	Moved(successor string) // the session was renewed: its record is under this key now
}

// Waiter is a Listener's place in the hub.
type Waiter struct {
	listener Listener
	session  *session // nil: told, or gone
}

// New returns a hub at rest.
func New(c Config) *Hub {
	return &Hub{Config: c, sessions: map[string]*session{}, wake: make(chan struct{}, 1)}
}

// Add has l told of the session that is kept under key until then. [Hub.Remove] takes
// it back.
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

// Remove forgets the waiter. That it was told already is no error.
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

// End tells the waiters of a session that is known to have ended.
func (h *Hub) End(key string, cause error) {
	h.mu.Lock()
	told := h.dismiss(h.sessions[key])
	h.mu.Unlock()
	tell(told, cause)
}

// Move tells the hub that a session is known to have been renewed.
func (h *Hub) Move(key, successor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[key]; s != nil {
		h.follow(s, State{Key: successor, Until: s.until})
	}
}

// Close tells all waiters, and those that come later, and ends what runs.
func (h *Hub) Close(cause error) {
	h.mu.Lock()
	var told []*Waiter
	for _, s := range h.sessions {
		told = append(told, h.dismiss(s)...)
	}
	h.closed = cause
	h.mu.Unlock()
	tell(told, cause)
}

// join lets the waiter wait for the session under key, which is looked at soon: what
// happened before it was waited for, no event will tell.
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

// dismiss forgets a session and returns who waited for it.
func (h *Hub) dismiss(s *session) (told []*Waiter) {
	if s == nil {
		return nil
	}
	for w := range s.waiters {
		w.session = nil
		told = append(told, w)
	}
	h.forget(s)
	return told
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

func tell(told []*Waiter, cause error) {
	for _, w := range told {
		w.listener.Ended(cause)
	}
}
