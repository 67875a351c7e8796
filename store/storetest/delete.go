package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

var deleteCases = []testCase{
	rule("Removes", "a Store must not return a record that was deleted, nor say that it has expired",
		func(ctx context.Context, e *env) error {
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			_, err = e.Store.Load(ctx, r.ID)
			if errors.Is(err, store.ErrExpired) {
				return fmt.Errorf("Load: %w, want plain ErrNotFound", err)
			}
			return expect("Load", err, store.ErrNotFound)
		}),

	rule("Absent", "a Store must not return an error from Delete if there is no record",
		func(ctx context.Context, e *env) error {
			r, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			return first(
				expect("second Delete", e.Store.Delete(ctx, r.ID), nil),
				expect("Delete of an unknown id", e.Store.Delete(ctx, e.id()), nil))
		}),

	rule("Expired", "a Store must delete an expired record without an error",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			if err := e.pass(ctx, r.Expires); err != nil {
				return err
			}
			return first(
				expect("Delete", e.Store.Delete(ctx, r.ID), nil),
				gone(ctx, e.Store, r.ID))
		}),

	rule("LeavesOthers", "a Store must delete only the one record",
		func(ctx context.Context, e *env) error {
			var kept []store.Record
			for range 3 {
				r, err := create(ctx, e.Store, e.record())
				if err != nil {
					return err
				}
				kept = append(kept, r)
			}
			if _, err := e.deleted(ctx); err != nil {
				return err
			}
			for _, r := range kept {
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("Anew", "a Store must allow Create after Delete, and keep nothing of the old record",
		func(ctx context.Context, e *env) error {
			old, err := e.deleted(ctx)
			if err != nil {
				return err
			}
			r, err := create(ctx, e.Store, store.Record{ID: old.ID, Data: doc("new"), Expires: e.hours()})
			if err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),
}
