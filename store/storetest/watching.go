package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// maxWait is how long the kit waits for an event.
const maxWait = 30 * time.Second

// watching is a running Watch.
type watching struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	events []store.Event
	err    error
}

// watch starts a Watch and returns when it reports events: it makes changes until one is
// reported. fn, if not nil, is called after the event was recorded.
func (e *env) watch(ctx context.Context, fn func(store.Event)) (*watching, error) {
	watcher, _ := store.As[store.Watcher](e.Store)
	w := &watching{done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		err := guard(func() error {
			return watcher.Watch(w.ctx, func(ev store.Event) {
				w.mu.Lock()
				w.events = append(w.events, ev)
				w.mu.Unlock()
				if fn != nil {
					fn(ev)
				}
			})
		})
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}()
	err := eventually(ctx, maxWait, func() error {
		select {
		case <-w.done:
			return fmt.Errorf("Watch returned early: %w", w.err)
		default:
		}
		if w.any() {
			return nil
		}
		if _, err := e.deleted(ctx); err != nil {
			return err
		}
		return fmt.Errorf("Watch reported nothing within %v of changes", maxWait)
	})
	if err != nil {
		w.cancel()
		return nil, err
	}
	return w, nil
}

// stop ends the Watch and returns what it returned.
func (w *watching) stop() error {
	w.cancel()
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
		return fmt.Errorf("Watch did not return within %v after its context ended", maxWait)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// sees waits for an event of the id, or of any record.
func (w *watching) sees(ctx context.Context, id string) error {
	return eventually(ctx, maxWait, func() error {
		if w.saw(id) {
			return nil
		}
		return fmt.Errorf("no event of the change came within %v", maxWait)
	})
}

// saw is also true if the store has reported that it may have missed events.
func (w *watching) saw(id string) bool {
	return w.some(func(ev store.Event) bool { return ev.Concerns(id) })
}

func (w *watching) sawEnd(id string) bool {
	return w.some(func(ev store.Event) bool { return ev.Ended && ev.Concerns(id) })
}

func (w *watching) any() bool {
	return w.some(func(store.Event) bool { return true })
}

func (w *watching) some(match func(store.Event) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if match(ev) {
			return true
		}
	}
	return false
}

// forget drops the events so far.
func (w *watching) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}
