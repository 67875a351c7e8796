package simulation

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// beat is the interval of the events that show that a stream works.
const beat = 500 * time.Millisecond

// stream is a node's watch of the store: it delays events, repeats and reorders them. Sometimes it
// fails silently, loses the events of that time, and starts again.
type stream struct {
	*link
	deaf bool // planted: it does not report that it has started again
}

// Watch implements [store.Watcher].
func (s *stream) Watch(ctx context.Context, fn func(store.Event)) error {
	c := newChance(s.seed, s.name+" watch")
	for life := 0; ; life++ {
		if err := pause(ctx, c.wait(20*time.Millisecond)); err != nil {
			return err
		}
		if err := s.connect(ctx, c, fn, s.deaf && life > 0); err != nil {
			return err
		}
		if err := pause(ctx, c.wait(4*time.Second)); err != nil { // failed silently
			return err
		}
	}
}

// connect watches until the connection is to fail.
func (s *stream) connect(ctx context.Context, c *chance, fn func(store.Event), silent bool) error {
	life := c.wait(20 * time.Second)
	if s.calm {
		life = time.Hour
	}
	conn, cut := context.WithTimeout(ctx, life)
	defer cut()
	q := &queue{some: make(chan struct{}, 1)}
	shared, _ := store.As[store.Watcher](s.Store)
	var done sync.WaitGroup
	defer done.Wait()
	done.Go(func() {
		_ = shared.Watch(conn, func(e store.Event) {
			if e != (store.Event{}) || !silent {
				q.put(e)
			}
		})
	})
	done.Go(func() {
		for pause(conn, beat) == nil {
			q.put(store.Event{Whole: time.Now()})
		}
	})
	for {
		select {
		case <-conn.Done():
			return ctx.Err()
		case <-q.some:
		}
		for e, ok := q.take(c); ok; e, ok = q.take(c) {
			if err := pause(conn, c.wait(20*time.Millisecond)); err != nil {
				return ctx.Err()
			}
			fn(e)
			if c.in(100) {
				fn(e)
			}
		}
	}
}

// queue is the events in flight.
type queue struct {
	mu     sync.Mutex
	events []store.Event
	some   chan struct{}
}

func (q *queue) put(e store.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	select {
	case q.some <- struct{}{}:
	default:
	}
}

// take returns the next event, or the one after it if that has overtaken it. The event that shows
// that all earlier ones were reported neither overtakes nor is overtaken.
func (q *queue) take(c *chance) (store.Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return store.Event{}, false
	}
	if len(q.events) > 1 && q.events[0].ID != "" && q.events[1].ID != "" && c.in(200) {
		q.events[0], q.events[1] = q.events[1], q.events[0]
	}
	e := q.events[0]
	q.events = q.events[1:]
	return e, true
}

// attentive is a cache whose watch begins after a moment. A manager begins a watch at the moment at
// which it looks at the session; attentive determines which of the two comes first, so that a run
// is repeatable.
type attentive struct{ store.Store }

// Unwrap shows the other interfaces of the cache.
func (a attentive) Unwrap() store.Store { return a.Store }

// Watch implements [store.Watcher].
func (a attentive) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := pause(ctx, time.Nanosecond); err != nil {
		return err
	}
	w, _ := store.As[store.Watcher](a.Store)
	return w.Watch(ctx, fn)
}
