package storetest

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/nestsession/session/store"
)

var closeCases = []testCase{
	rule("Afterwards", "a Store must return ErrClosed from every call after Close",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if err := e.close(); err != nil {
				return err
			}
			calls := e.calls(r)
			maps.Copy(calls, e.optionalCalls())
			for method, call := range calls {
				if err := expect(method+" after Close", call(ctx), store.ErrClosed); err != nil {
					return err
				}
			}
			return nil
		}).only(Closer),

	rule("Twice", "a Store must allow Close to be called multiple times",
		func(ctx context.Context, e *env) error {
			return first(e.close(), e.close(), e.close())
		}).only(Closer),

	rule("EndsWatch", "a Store must return from every Watch when it is closed",
		func(ctx context.Context, e *env) error {
			if _, ok := store.As[store.Watcher](e.Store); !ok {
				return nil
			}
			w, err := e.watch(ctx, nil)
			if err != nil {
				return err
			}
			defer w.stop()
			if err := e.close(); err != nil {
				return err
			}
			err = eventually(ctx, maxWait, func() error {
				select {
				case <-w.done:
					return nil
				default:
					return fmt.Errorf("Watch did not return within %v after Close", maxWait)
				}
			})
			if err != nil {
				return err
			}
			return expect("Watch of a store that was closed", w.err, store.ErrClosed)
		}).only(Closer),
}

func (e *env) close() error {
	c, _ := store.As[io.Closer](e.Store)
	return expect("Close", c.Close(), nil)
}

// optionalCalls returns calls of the optional interfaces that the store has.
func (e *env) optionalCalls() map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{}
	if _, ok := store.As[store.Lister](e.Store); ok {
		calls["List"] = func(ctx context.Context) error {
			_, err := e.collect(ctx, "")
			return err
		}
		calls["List of an owner"] = func(ctx context.Context) error {
			_, err := e.collect(ctx, "user:42")
			return err
		}
	}
	if w, ok := store.As[store.Watcher](e.Store); ok {
		calls["Watch"] = func(ctx context.Context) error { return w.Watch(ctx, func(store.Event) {}) }
	}
	if s, ok := store.As[store.Sweeper](e.Store); ok {
		calls["Sweep"] = func(ctx context.Context) error {
			_, err := s.Sweep(ctx)
			return err
		}
	}
	if p, ok := store.As[store.Pinger](e.Store); ok {
		calls["Ping"] = p.Ping
	}
	return calls
}
