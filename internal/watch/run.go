package watch

import (
	"context"
	"maps"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

const (
	// maxWorkers is how many sessions the hub looks at concurrently.
	maxWorkers = 8

	// soonest is the pause before the hub looks again at a session that has expired by this clock,
	// but not by the store's.
	soonest = 100 * time.Millisecond
)

// start is called with the lock held, as are the functions here whose comments do not say
// otherwise.
func (h *Hub) start() {
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.workers = 0
	go h.remind(h.ctx)
	if h.Watch != nil {
		go feed.Listen(h.ctx, h.Watch, h.onEvent(h.ctx))
	}
	h.engage()
}

// onEvent returns the function that handles the store's events. That is called without the lock.
func (h *Hub) onEvent(ctx context.Context) func(store.Event) {
	return func(e store.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch {
		case ctx.Err() != nil: // of an earlier run
		case e.ID != "" || e.Digest != store.Digest{}:
			key := e.ID
			if key == "" {
				key = h.digests.Find(e.Digest, maps.Keys(h.sessions))
			}
			if s := h.sessions[key]; s != nil {
				h.enqueue(s)
			}
		case e.Whole.IsZero():
			for _, s := range h.sessions {
				h.enqueue(s)
			}
		}
	}
}

// remind enqueues sessions when they are due. It is called without the lock.
func (h *Hub) remind(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		h.mu.Lock()
		now := time.Now()
		for ctx.Err() == nil && len(h.due) > 0 && !h.due[0].next.After(now) {
			s := h.due[0]
			h.due.move(s, now.Add(h.Recheck)) // in case the look sets no later time
			h.enqueue(s)
		}
		if len(h.due) > 0 {
			timer.Reset(h.due[0].next.Sub(now))
		}
		h.mu.Unlock()
	}
}

// enqueue has a worker look at the session, once more if one does so now.
func (h *Hub) enqueue(s *session) {
	if s.waiting {
		return
	}
	s.waiting = true
	if !s.looking {
		h.queue = append(h.queue, s)
		h.engage()
	}
}

// engage starts a worker if the queue needs one.
func (h *Hub) engage() {
	if h.stop != nil && h.workers < maxWorkers && len(h.queue) > 0 {
		h.workers++
		go h.work(h.ctx)
	}
}

// work looks at the sessions in the queue until it is empty. It is called without the lock.
func (h *Hub) work(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ctx.Err() == nil && len(h.queue) > 0 {
		s := h.queue[0]
		h.queue[0] = nil
		h.queue = h.queue[1:]
		if s.place < 0 {
			continue // it has no waiters any more
		}
		s.waiting, s.looking = false, true
		key, until := s.key, s.until
		h.mu.Unlock()
		state, err := h.Look(ctx, key, until)
		h.mu.Lock()
		s.looking = false
		if s.place < 0 || ctx.Err() != nil {
			continue
		}
		h.apply(s, state, err)
	}
	if ctx.Err() == nil {
		h.workers--
	}
}

// apply applies the result of a look. It releases the lock while it notifies waiters.
func (h *Hub) apply(s *session, state State, err error) {
	ended := state.Ended
	switch {
	case err != nil:
		left := s.left(h.Now())
		if left > 0 {
			h.plan(s, min(backoff.Backoff(s.tries), left))
			s.tries++
			break
		}
		// It has expired as far as this node knows, and the store does not answer.
		ended = err
	case ended == nil && state.Key != s.key:
		h.follow(s, state)
		return
	case ended == nil:
		s.until, s.tries = state.Until, 0
		h.plan(s, min(h.Recheck, max(s.left(h.Now()), soonest)))
	}
	if ended != nil {
		waiters := h.forgetAll(s)
		h.mu.Unlock()
		notify(waiters, ended)
		h.mu.Lock()
		return
	}
	if s.waiting {
		h.queue = append(h.queue, s)
	}
}

// follow makes the waiters of a renewed session wait for its new record, and looks at that record:
// its events were ignored until now.
func (h *Hub) follow(s *session, state State) {
	for w := range s.waiters {
		h.join(w, state.Key, state.Until)
		w.listener.Moved(state.Key)
	}
	h.forget(s)
}

// left returns how long the session lives, as far as this node knows.
func (s *session) left(now time.Time) time.Duration {
	if s.until.IsZero() {
		return 1<<63 - 1
	}
	return s.until.Sub(now)
}

func (h *Hub) plan(s *session, after time.Duration) {
	h.due.move(s, time.Now().Add(after))
	if s.place == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}
