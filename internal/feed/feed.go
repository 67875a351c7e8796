// Package feed publishes a store's events to its watchers. A slow watcher does not block the
// store.
package feed

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nestsession/session/store"
)

// Backlog is how many events wait for a watcher. One that falls further behind misses events.
const Backlog = 1024

// Feed publishes events. The zero value is ready for use.
type Feed struct {
	watchers atomic.Pointer[[]*watcher] // replaced when it changes, and never modified

	mu     sync.Mutex // guards replacing watchers, and closed
	closed bool
}

type watcher struct {
	wake chan struct{} // holds a token when there is something to take

	mu     sync.Mutex
	events []store.Event
	missed bool
	closed bool
}

// Watch calls fn for each event, one at a time. It returns ctx's error when ctx ends, and
// [store.ErrClosed] when the feed is closed. The first event has no ID, since earlier events
// were missed. A watcher that falls behind gets such an event in place of those that it
// misses.
func (f *Feed) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &watcher{wake: make(chan struct{}, 1)}
	if !f.add(w) {
		return store.ErrClosed
	}
	defer f.remove(w)
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

// Send publishes an event to all watchers. They get events in the order of the calls.
func (f *Feed) Send(e store.Event) {
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
	if len(w.events) < Backlog {
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

// Watched reports whether there is a watcher.
func (f *Feed) Watched() bool { return f.watchers.Load() != nil }

// take returns the events since the last call. The next events use the memory of spare.
func (w *watcher) take(spare []store.Event) (events []store.Event, missed, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, missed = w.events, w.missed
	w.events, w.missed = spare, false
	return events, missed, w.closed
}

func (f *Feed) add(w *watcher) bool {
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

func (f *Feed) remove(w *watcher) {
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

// Close ends every Watch.
func (f *Feed) Close() {
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
