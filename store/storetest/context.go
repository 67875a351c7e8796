package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var contextCases = []testCase{
	rule("Ended", "a Store must return the context's error from every call whose context has ended",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for name, ended := range endedContexts(ctx) {
				for method, call := range e.calls(r) {
					if err := call(ended); !isEnd(err, ended) {
						return fmt.Errorf("%s with a context that was %s: %v, want %q", method, name, err, ended.Err())
					}
				}
			}
			return nil
		}),

	rule("WritesNothing", "a Store must write nothing in a call whose context has ended before",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for name, ended := range endedContexts(ctx) {
				fresh := e.record()
				_, _ = e.Store.Create(ended, fresh)
				if err := gone(ctx, e.Store, fresh.ID); err != nil {
					return fmt.Errorf("after Create with a context that was %s: %w", name, err)
				}
				changed := r
				changed.Data = doc("changed")
				_, _ = e.Store.Update(ended, changed)
				_ = e.Store.Touch(ended, r.ID, e.hours().Add(time.Hour))
				_ = e.Store.Delete(ended, r.ID)
				if err := e.holds(ctx, e.Store, r); err != nil {
					return fmt.Errorf("after calls with a context that was %s: %w", name, err)
				}
			}
			return nil
		}),
}

func endedContexts(ctx context.Context) map[string]context.Context {
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	cancel()
	return map[string]context.Context{"canceled": canceled, "past its deadline": late}
}

// isEnd reports whether err is the reason why ctx has ended.
func isEnd(err error, ctx context.Context) bool {
	return errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))
}

// calls returns calls of the five methods, on an existing record and on a new one.
func (e *env) calls(r store.Record) map[string]func(context.Context) error {
	fresh := e.record()
	return map[string]func(context.Context) error{
		"Load": func(ctx context.Context) error {
			_, err := e.Store.Load(ctx, r.ID)
			return err
		},
		"Create": func(ctx context.Context) error {
			_, err := e.Store.Create(ctx, fresh)
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := e.Store.Update(ctx, r)
			return err
		},
		"Touch":  func(ctx context.Context) error { return e.Store.Touch(ctx, r.ID, e.hours()) },
		"Delete": func(ctx context.Context) error { return e.Store.Delete(ctx, r.ID) },
	}
}
