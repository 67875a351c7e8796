package memstore

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nestsession/session/store"
)

// backlog is how many events a watcher may be behind before it misses some.
const backlog = 1024

// feed spreads events to those who watch. Sending never waits for them.
type feed struct {
	watchers atomic.Pointer[[]*watcher] // replaced, never changed

	mu     sync.Mutex // guards replacing, and closed
	closed bool
}

type watcher struct {
	wake chan struct{} // holds a token when there is something to look at

	mu     sync.Mutex
	events []store.Event
	missed bool
	closed bool
}

// Watch implements [store.Watcher]. Its first event is one without an ID, as soon
// as it watches: what changed before that may have been missed. From then on it
// reports updates, touches and deletions, evicted and swept sessions, and the
// creation of a record in the place of an expired one. A caller that falls more
// than 1024 events behind gets one event without an ID in their place. Watch
// returns the error of ctx, or [store.ErrClosed] after Close.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &watcher{wake: make(chan struct{}, 1)}
	if !s.feed.add(w) {
		return store.ErrClosed
	}
	defer s.feed.remove(w)
	fn(store.Event{})
	var spare []store.Event
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		events, missed, closed := w.take(spare)
		if closed {
			return store.ErrClosed
		}
		if missed {
			fn(store.Event{})
		}
		for _, e := range events {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fn(e)
		}
		clear(events)
		spare = events[:0]
	}
}

// send is called under the lock of the record's shard, so that a record's events
// come in the order in which they happened.
func (f *feed) send(e store.Event) {
	all := f.watchers.Load()
	if all == nil {
		return
	}
	for _, w := range *all {
		w.put(e)
	}
}

func (w *watcher) put(e store.Event) {
	w.mu.Lock()
	if len(w.events) < backlog {
		w.events = append(w.events, e)
	} else {
		clear(w.events)
		w.events, w.missed = w.events[:0], true
	}
	w.mu.Unlock()
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take is what has come since; spare is used for what comes next.
func (w *watcher) take(spare []store.Event) (events []store.Event, missed, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, missed = w.events, w.missed
	w.events, w.missed = spare, false
	return events, missed, w.closed
}

func (f *feed) add(w *watcher) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	var all []*watcher
	if old := f.watchers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = append(all, w)
	f.watchers.Store(&all)
	return true
}

func (f *feed) remove(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.watchers.Load()
	if old == nil {
		return
	}
	all := slices.DeleteFunc(slices.Clone(*old), func(x *watcher) bool { return x == w })
	if len(all) == 0 {
		f.watchers.Store(nil)
		return
	}
	f.watchers.Store(&all)
}

// close ends every Watch.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	all := f.watchers.Swap(nil)
	if all == nil {
		return
	}
	for _, w := range *all {
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		w.signal()
	}
}
