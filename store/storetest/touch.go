package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var touchCases = []testCase{
	rule("MovesTheExpiryAlone", "a Store must change only the expiry of a record in Touch",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			r.Expires = e.hours().Add(time.Hour)
			if err := e.Store.Touch(ctx, r.ID, r.Expires); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			r.Version = 0 // may or may not be a new one
			return e.holds(ctx, e.Store, r)
		}),

	rule("StaysSwappable", "a Store must accept, after Touch, an Update with the version that Load returns",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if err := e.Store.Touch(ctx, r.ID, e.hours()); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if r, err = e.Store.Load(ctx, r.ID); err != nil {
				return fmt.Errorf("Load: %w", err)
			}
			r.Data = doc("after touch")
			_, err = e.Store.Update(ctx, r)
			return expect("Update after Touch and Load", err, nil)
		}),

	rule("Extends", "a Store must return a record until its new expiry when Touch has moved it to a later time",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			was := r.Expires
			r.Expires = e.hours()
			if err := e.late(e.Store.Touch(ctx, r.ID, r.Expires), was); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if err := e.pass(ctx, was); err != nil {
				return err
			}
			r.Version = 0
			return e.holds(ctx, e.Store, r)
		}),

	rule("Shortens", "a Store must end a record at its new expiry when Touch has moved it to an earlier time",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			soon := e.soon()
			if err := e.Store.Touch(ctx, r.ID, soon); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if err := e.pass(ctx, soon); err != nil {
				return err
			}
			return gone(ctx, e.Store, r.ID)
		}),

	rule("ToThePast", "a Store must end a record at once when Touch moves its expiry into the past",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if err := e.Store.Touch(ctx, r.ID, e.now().Add(-time.Minute)); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			return gone(ctx, e.Store, r.ID)
		}),

	rule("ToNever", "a Store must keep a record forever once Touch has set its expiry to the zero time",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			was := r.Expires
			r.Expires = time.Time{}
			if err := e.late(e.Store.Touch(ctx, r.ID, r.Expires), was); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if err := e.pass(ctx, was); err != nil {
				return err
			}
			r.Version = 0
			return e.holds(ctx, e.Store, r)
		}),

	rule("FromNever", "a Store must end a record that never expired at the time that Touch has set",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Expires = time.Time{}
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			soon := e.soon()
			if err := e.Store.Touch(ctx, r.ID, soon); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if err := e.pass(ctx, soon); err != nil {
				return err
			}
			return gone(ctx, e.Store, r.ID)
		}),

	rule("Unknown", "a Store must return ErrNotFound from Touch of an unknown id",
		func(ctx context.Context, e *env) error {
			return expect("Touch", e.Store.Touch(ctx, e.id(), e.hours()), store.ErrNotFound)
		}),

	rule("NeverCreates", "a Store must not create a record in Touch",
		func(ctx context.Context, e *env) error {
			id := e.id()
			_ = e.Store.Touch(ctx, id, e.hours())
			return gone(ctx, e.Store, id)
		}),

	rule("NeverRevivesDeleted", "a Store must return ErrNotFound from Touch of a deleted record, and not revive it",
		func(ctx context.Context, e *env) error {
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			return first(
				expect("Touch after Delete", e.Store.Touch(ctx, r.ID, e.hours()), store.ErrNotFound),
				gone(ctx, e.Store, r.ID))
		}),
}
