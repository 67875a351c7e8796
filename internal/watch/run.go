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
	// maxWorkers bounds how many sessions are looked at at the same time.
	maxWorkers = 8

	// soonest is how soon a session is looked at again whose time is over on this
	// clock, and not on the store's.
	soonest = 100 * time.Millisecond
)

// start is called under the lock, as is everything here that says nothing of it.
func (h *Hub) start() {
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.workers = 0
	go h.remind(h.ctx)
	if h.Watch != nil {
		go feed.Listen(h.ctx, h.Watch, h.ear(h.ctx))
	}
	h.engage()
}

// ear hears what the store tells, without the lock.
func (h *Hub) ear(ctx context.Context) func(store.Event) {
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

// remind has sessions looked at when their time has come, without the lock.
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
			h.due.move(s, now.Add(h.Recheck)) // in case that nothing comes of it
			h.enqueue(s)
		}
		if len(h.due) > 0 {
			timer.Reset(h.due[0].next.Sub(now))
		}
		h.mu.Unlock()
	}
}

// enqueue has the session looked at, once more if that is under way.
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

// engage sees that somebody works on the queue.
func (h *Hub) engage() {
	if h.stop != nil && h.workers < maxWorkers && len(h.queue) > 0 {
		h.workers++
		go h.work(h.ctx)
	}
}

// work looks at what is in the queue, until that is empty, without the lock.
func (h *Hub) work(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ctx.Err() == nil && len(h.queue) > 0 {
		s := h.queue[0]
		h.queue[0] = nil
		h.queue = h.queue[1:]
		if s.place < 0 {
			continue // nobody waits for it any more
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
		h.settle(s, state, err)
	}
	if ctx.Err() == nil {
		h.workers--
	}
}

// settle acts on what a look has shown. It lets go of the lock while it tells.
func (h *Hub) settle(s *session, state State, err error) {
	ended := state.Ended
	switch {
	case err != nil:
		left := s.left(h.Now())
		if left > 0 {
			h.plan(s, min(backoff.Backoff(s.tries), left))
			s.tries++
			break
		}
		// Its time is over as far as is known, and nobody can say that it is not.
		ended = err
	case ended == nil && state.Key != s.key:
		h.follow(s, state)
		return
	case ended == nil:
		s.until, s.tries = state.Until, 0
		h.plan(s, min(h.Recheck, max(s.left(h.Now()), soonest)))
	}
	if ended != nil {
		told := h.dismiss(s)
		h.mu.Unlock()
		tell(told, ended)
		h.mu.Lock()
		return
	}
	if s.waiting {
		h.queue = append(h.queue, s)
	}
}

// follow lets those who wait for a session that was renewed wait for its new record,
// which is looked at: nobody has listened for it yet.
func (h *Hub) follow(s *session, state State) {
	for w := range s.waiters {
		h.join(w, state.Key, state.Until)
		w.listener.Moved(state.Key)
	}
	h.forget(s)
}

// left is for how long the session lives, as far as is known.
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
