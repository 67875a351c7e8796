package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var swapCases = []testCase{
	rule("Replaces", "a Store must replace owner, data and expiry in Update",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			r.Owner, r.Data, r.Expires = "user:43", doc("updated"), e.hours().Add(time.Hour)
			if r.Version, err = e.Store.Update(ctx, r); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("Chain", "a Store must accept the version that Update returned for the next Update",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for i := range 3 {
				r.Data = doc(i)
				if r.Version, err = e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update %d: %w", i+1, err)
				}
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("Conflict", "a Store must return ErrConflict from Update with an old version",
		func(ctx context.Context, e *env) error {
			stale, _, err := e.updated(ctx)
			if err != nil {
				return err
			}
			stale.Data = doc("stale")
			_, err = e.Store.Update(ctx, stale)
			return expect("Update with an old version", err, store.ErrConflict)
		}),

	rule("ConflictWritesNothing", "a Store must leave the record unchanged when Update finds another version",
		func(ctx context.Context, e *env) error {
			stale, kept, err := e.updated(ctx)
			if err != nil {
				return err
			}
			stale.Owner, stale.Data, stale.Expires = "user:stale", doc("stale"), e.hours().Add(time.Hour)
			_, _ = e.Store.Update(ctx, stale)
			return e.holds(ctx, e.Store, kept)
		}),

	rule("NoVersion", "a Store must return ErrConflict from Update of a live record with version zero",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			r.Version, r.Data = 0, doc("blind")
			_, err = e.Store.Update(ctx, r)
			return expect("Update with version zero", err, store.ErrConflict)
		}),

	rule("Unknown", "a Store must return ErrNotFound from Update of an unknown id",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Version = 1
			_, err := e.Store.Update(ctx, r)
			return expect("Update", err, store.ErrNotFound)
		}),

	rule("NeverCreates", "a Store must not create a record in Update",
		func(ctx context.Context, e *env) error {
			for _, v := range []store.Version{0, 1} {
				r := e.record()
				r.Version = v
				_, _ = e.Store.Update(ctx, r)
				if err := gone(ctx, e.Store, r.ID); err != nil {
					return fmt.Errorf("after Update of an unknown id with version %d: %w", v, err)
				}
			}
			return nil
		}),

	rule("Deleted", "a Store must return ErrNotFound, not ErrConflict, from Update of a deleted record",
		func(ctx context.Context, e *env) error {
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			_, err = e.Store.Update(ctx, r)
			return expect("Update after Delete", err, store.ErrNotFound)
		}),

	rule("NeverRevivesDeleted", "a Store must not revive a deleted record in Update",
		func(ctx context.Context, e *env) error {
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			_, _ = e.Store.Update(ctx, r)
			return gone(ctx, e.Store, r.ID)
		}),

	rule("Recreated", "a Store must return ErrConflict from Update with a version from before the record was deleted and created again",
		func(ctx context.Context, e *env) error {
			old, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			r := old
			r.Data = doc("new")
			if r, err = create(ctx, e.Store, r); err != nil {
				return err
			}
			_, err = e.Store.Update(ctx, old)
			return first(
				expect("Update with the version of the deleted record", err, store.ErrConflict),
				e.holds(ctx, e.Store, r))
		}),
}

// updated returns a record in an old version and in the current one.
func (e *env) updated(ctx context.Context) (stale, kept store.Record, err error) {
	stale, err = create(ctx, e.Store, e.record())
	if err != nil {
		return stale, kept, err
	}
	kept = stale
	kept.Data = doc("kept")
	kept.Version, err = e.Store.Update(ctx, kept)
	return stale, kept, expect("Update", err, nil)
}

// deleted returns a record that was created and deleted.
func (e *env) deleted(ctx context.Context) (store.Record, error) {
	r, err := create(ctx, e.Store, e.record())
	if err != nil {
		return r, err
	}
	return r, expect("Delete", e.Store.Delete(ctx, r.ID), nil)
}
