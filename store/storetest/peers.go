package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var peerCases = []testCase{
	rule("SeeEachOther", "a Store must return what another instance on the same records has written",
		func(ctx context.Context, e *env) error {
			return e.pairs(func(a, b store.Store) error {
				r, err := create(ctx, a, e.record())
				if err != nil {
					return err
				}
				sees := func(what string) error {
					err := e.settled(ctx, func() error { return e.holds(ctx, b, r) })
					if err != nil {
						return fmt.Errorf("after %s elsewhere: %w", what, err)
					}
					return nil
				}
				if err := sees("Create"); err != nil {
					return err
				}
				r.Data, r.Owner = doc("updated"), "user:43"
				if r.Version, err = a.Update(ctx, r); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				if err := sees("Update"); err != nil {
					return err
				}
				r.Expires = e.hours().Add(time.Hour)
				if err := a.Touch(ctx, r.ID, r.Expires); err != nil {
					return fmt.Errorf("Touch: %w", err)
				}
				if e.opts.Lag > 0 && e.opts.lacks(TouchEvents) {
					return nil // a cache that gets no event loads the record again at the old expiry
				}
				r.Version = 0
				return sees("Touch")
			})
		}).only(Peers),

	rule("Touched", "a Store must return a record until the expiry that another instance has set",
		func(ctx context.Context, e *env) error {
			return e.pairs(func(a, b store.Store) error {
				r, err := create(ctx, a, e.brief())
				if err != nil {
					return err
				}
				was := r.Expires
				if _, err := b.Load(ctx, r.ID); err != nil && e.opts.Lag == 0 {
					return e.late(fmt.Errorf("Load elsewhere: %w", err), was)
				}
				r.Expires = e.hours()
				if err := a.Touch(ctx, r.ID, r.Expires); err != nil {
					return e.late(fmt.Errorf("Touch: %w", err), was)
				}
				if err := e.pass(ctx, was); err != nil {
					return err
				}
				r.Version = 0
				return e.settled(ctx, func() error { return e.holds(ctx, b, r) })
			})
		}).only(Peers),

	rule("Conflict", "a Store must return ErrConflict from Update of a version that another instance has replaced",
		func(ctx context.Context, e *env) error {
			return e.pairs(func(a, b store.Store) error {
				r, err := create(ctx, a, e.record())
				if err != nil {
					return err
				}
				changed := r
				changed.Data = doc("changed elsewhere")
				if _, err := a.Update(ctx, changed); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				r.Data = doc("stale")
				_, err = b.Update(ctx, r)
				return expect("Update with a version replaced elsewhere", err, store.ErrConflict)
			})
		}).only(Peers),

	rule("Exists", "a Store must return ErrExists from Create over a record of another instance",
		func(ctx context.Context, e *env) error {
			return e.pairs(func(a, b store.Store) error {
				r, err := create(ctx, a, e.record())
				if err != nil {
					return err
				}
				_, err = b.Create(ctx, r)
				return expect("Create over a record of elsewhere", err, store.ErrExists)
			})
		}).only(Peers),

	rule("Deleted", "a Store must neither return nor revive a record that another instance has deleted",
		func(ctx context.Context, e *env) error {
			return e.pairs(func(a, b store.Store) error {
				r, err := create(ctx, a, e.record())
				if err != nil {
					return err
				}
				if _, err := b.Load(ctx, r.ID); err != nil && e.opts.Lag == 0 {
					return fmt.Errorf("Load elsewhere: %w", err)
				}
				if err := a.Delete(ctx, r.ID); err != nil {
					return fmt.Errorf("Delete: %w", err)
				}
				r.Data = doc("late")
				_, err = b.Update(ctx, r)
				return first(
					expect("Update of a record deleted elsewhere", err, store.ErrNotFound),
					expect("Touch of a record deleted elsewhere", b.Touch(ctx, r.ID, e.hours()), store.ErrNotFound),
					e.settled(ctx, func() error { return gone(ctx, b, r.ID) }),
					gone(ctx, a, r.ID))
			})
		}).only(Peers),
}

// pairs runs f with the store and each peer, in both directions.
func (e *env) pairs(f func(a, b store.Store) error) error {
	for i, peer := range e.Peers {
		if err := f(e.Store, peer); err != nil {
			return fmt.Errorf("Store and Peers[%d]: %w", i, err)
		}
		if err := f(peer, e.Store); err != nil {
			return fmt.Errorf("Peers[%d] and Store: %w", i, err)
		}
	}
	return nil
}
