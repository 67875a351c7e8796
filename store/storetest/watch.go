package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

var watchCases = []testCase{
	rule("Update", "a Store must report the Update of a record to watchers, and not as its end",
		func(ctx context.Context, e *env) error {
			return e.reports(ctx, func(s store.Store, r store.Record) error {
				r.Data = doc("changed")
				_, err := s.Update(ctx, r)
				return err
			}, false)
		}).only(Watcher),

	rule("Touch", "a Store must report the Touch of a record to watchers, and not as its end",
		func(ctx context.Context, e *env) error {
			return e.reports(ctx, func(s store.Store, r store.Record) error {
				return s.Touch(ctx, r.ID, r.Expires.Add(time.Hour))
			}, false)
		}).only(TouchEvents),

	rule("TouchNearer", "a Store must report a Touch that moves the expiry of a record to an earlier time to watchers, and not as its end",
		func(ctx context.Context, e *env) error {
			return e.reports(ctx, func(s store.Store, r store.Record) error {
				return s.Touch(ctx, r.ID, r.Expires.Add(-time.Hour))
			}, false)
		}).only(Watcher),

	rule("TouchToThePast", "a Store must report a Touch that ends a record to watchers",
		func(ctx context.Context, e *env) error {
			return e.reports(ctx, func(s store.Store, r store.Record) error {
				return s.Touch(ctx, r.ID, e.now().Add(-time.Minute))
			}, true)
		}).only(Watcher),

	rule("Delete", "a Store must report the Delete of a record to watchers",
		func(ctx context.Context, e *env) error {
			return e.reports(ctx, func(s store.Store, r store.Record) error {
				return s.Delete(ctx, r.ID)
			}, true)
		}).only(Watcher),

	rule("Several", "a Store must report a change to each watcher",
		func(ctx context.Context, e *env) error {
			var all []*watching
			for range 3 {
				w, err := e.watch(ctx, nil)
				if err != nil {
					return err
				}
				defer w.stop()
				all = append(all, w)
			}
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if err := e.Store.Delete(ctx, r.ID); err != nil {
				return fmt.Errorf("Delete: %w", err)
			}
			for _, w := range all {
				if err := w.sees(ctx, r.ID); err != nil {
					return err
				}
			}
			return nil
		}).only(Watcher),

	rule("OneAtATime", "a Store must call a watcher's function for one event at a time",
		func(ctx context.Context, e *env) error {
			var busy sync.Mutex
			var overlapped atomic.Bool
			w, err := e.watch(ctx, func(store.Event) {
				if !busy.TryLock() {
					overlapped.Store(true)
					return
				}
				defer busy.Unlock()
				_ = wait(ctx, time.Millisecond)
			})
			if err != nil {
				return err
			}
			defer w.stop()
			var last string
			for range callers {
				r, err := e.deleted(ctx)
				if err != nil {
					return err
				}
				last = r.ID
			}
			if err := w.sees(ctx, last); err != nil {
				return err
			}
			if overlapped.Load() {
				return fmt.Errorf("a second event came before the function had returned from the first")
			}
			return nil
		}).only(Watcher),

	rule("CallsStore", "a Store must allow a watcher's function to call it",
		func(ctx context.Context, e *env) error {
			w, err := e.watch(ctx, func(ev store.Event) {
				if ev.ID != "" || ev.Digest != (store.Digest{}) {
					_, _ = e.Store.Load(ctx, ev.ID+"another")
					_ = e.Store.Delete(ctx, ev.ID+"another")
				}
			})
			if err != nil {
				return err
			}
			defer w.stop()
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			r.Data = doc("changed")
			if _, err := e.Store.Update(ctx, r); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			return w.sees(ctx, r.ID)
		}).only(Watcher),

	rule("SlowWatcher", "a Store must not make writers wait for a watcher, and must report to it afterwards that it missed events",
		func(ctx context.Context, e *env) error {
			var ready, stuck atomic.Bool
			release := make(chan struct{})
			let := sync.OnceFunc(func() { close(release) })
			w, err := e.watch(ctx, func(store.Event) {
				if ready.Load() {
					stuck.Store(true)
					<-release
				}
			})
			if err != nil {
				return err
			}
			defer w.stop()
			defer let()
			ready.Store(true)
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			changes := 0
			change := func() (err error) {
				changes++
				r.Data = doc(changes)
				r.Version, err = e.Store.Update(ctx, r)
				return expect("Update", err, nil)
			}
			err = eventually(ctx, maxWait, func() error {
				if stuck.Load() {
					return nil
				}
				return first(change(), fmt.Errorf("no event of an Update came within %v", maxWait))
			})
			if err != nil {
				return err
			}
			const burst = 1500
			for range burst {
				if err := change(); err != nil {
					return fmt.Errorf("while a watcher is slow: %w", err)
				}
			}
			last, err := e.deleted(ctx)
			if err != nil {
				return fmt.Errorf("while a watcher is slow: %w", err)
			}
			let()
			return w.sees(ctx, last.ID)
		}).only(Watcher),

	rule("EndsWithContext", "a Store must return the context's error from Watch when the context ends, and report nothing more",
		func(ctx context.Context, e *env) error {
			for name, ended := range endedContexts(ctx) {
				watcher, _ := store.As[store.Watcher](e.Store)
				if err := watcher.Watch(ended, func(store.Event) {}); !isEnd(err, ended) {
					return fmt.Errorf("Watch with a context that was %s: %v, want %q", name, err, ended.Err())
				}
			}
			w, err := e.watch(ctx, nil)
			if err != nil {
				return err
			}
			if err := w.stop(); !isEnd(err, w.ctx) {
				return fmt.Errorf("Watch whose context ended: %v, want %q", err, w.ctx.Err())
			}
			w.forget()
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			if err := wait(ctx, 20*time.Millisecond); err != nil {
				return err
			}
			if w.saw(r.ID) {
				return fmt.Errorf("an event came after Watch had returned")
			}
			return nil
		}).only(Watcher),
}

// reports checks that every node reports a change made through any node.
func (e *env) reports(ctx context.Context, change func(store.Store, store.Record) error, ended bool) error {
	w, err := e.watch(ctx, nil)
	if err != nil {
		return err
	}
	defer w.stop()
	for i, s := range e.nodes() {
		r, err := create(ctx, e.Store, e.record())
		if err != nil {
			return err
		}
		w.forget()
		if err := change(s, r); err != nil {
			return fmt.Errorf("change through node %d: %w", i, err)
		}
		if err := w.sees(ctx, r.ID); err != nil {
			return fmt.Errorf("change through node %d: %w", i, err)
		}
		if !ended && w.sawEnd(r.ID) {
			return fmt.Errorf("the change of a record was reported as its end")
		}
	}
	return nil
}
