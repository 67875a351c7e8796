package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var createCases = []testCase{
	rule("Version", "a Store must return from Create a version, not zero, with which the record can be updated",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if r.Version == 0 {
				return fmt.Errorf("Create: version zero")
			}
			r.Data = doc("updated")
			_, err = e.Store.Update(ctx, r)
			return expect("Update with the version of Create", err, nil)
		}),

	rule("IgnoresVersion", "a Store must ignore the Version of a record in Create",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Version = 987654321
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("Exists", "a Store must return ErrExists from Create over a live record",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			_, err = e.Store.Create(ctx, r)
			return expect("Create over a live record", err, store.ErrExists)
		}),

	rule("LeavesTheLive", "a Store must leave a live record unchanged when Create finds it",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			other := r
			other.Owner, other.Data, other.Expires = "user:other", doc("other"), e.hours().Add(time.Hour)
			_, _ = e.Store.Create(ctx, other)
			return e.holds(ctx, e.Store, r)
		}),

	rule("OverExpired", "a Store must create over an expired record, and keep nothing of it",
		func(ctx context.Context, e *env) error {
			old, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			if err := e.pass(ctx, old.Expires); err != nil {
				return err
			}
			r := store.Record{ID: old.ID, Data: doc("new"), Expires: e.hours()}
			if r, err = create(ctx, e.Store, r); err != nil {
				return fmt.Errorf("over an expired record: %w", err)
			}
			if err := e.holds(ctx, e.Store, r); err != nil {
				return err
			}
			old.Expires = e.hours()
			_, err = e.Store.Update(ctx, old)
			return expect("Update with the expired record's version", err, store.ErrConflict)
		}),

	rule("AlreadyExpired", "a Store must accept an expired record in Create, and never return it",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Expires = e.now().Add(-time.Minute)
			if _, err := e.Store.Create(ctx, r); err != nil {
				return fmt.Errorf("Create: %w", err)
			}
			return gone(ctx, e.Store, r.ID)
		}),
}
