package storetest

import (
	"context"
	"fmt"

	"github.com/nestsession/session/store"
)

var sinceCases = []testCase{
	rule("SameVersion", "a Store must leave out Data, and nothing else but perhaps Owner, if LoadSince is called with the record's version",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for range 2 {
				got, err := since(ctx, e, r)
				if err != nil {
					return err
				}
				want := r
				want.Data = nil
				if got.Owner == "" {
					want.Owner = ""
				}
				if got.Data != nil {
					return fmt.Errorf("LoadSince with the record's version returned %d bytes", len(got.Data))
				}
				if err := e.same("LoadSince", got, want); err != nil {
					return err
				}
				r.Data = doc("changed")
				if r.Version, err = e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
			}
			return nil
		}).only(SinceLoader),

	rule("OtherVersion", "a Store must return the whole record if LoadSince is called with another version, or none",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			old := r
			r.Data = doc("changed")
			if r.Version, err = e.Store.Update(ctx, r); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			for _, have := range []store.Version{old.Version, 0} {
				old.Version = have
				got, err := since(ctx, e, old)
				if err != nil {
					return err
				}
				if err := e.same(fmt.Sprintf("LoadSince with version %d", have), got, r); err != nil {
					return err
				}
			}
			return nil
		}).only(SinceLoader),

	rule("AnotherLife", "a Store must return the whole record if LoadSince is called with a version from before Delete and Create",
		func(ctx context.Context, e *env) error {
			first, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if err := e.Store.Delete(ctx, first.ID); err != nil {
				return fmt.Errorf("Delete: %w", err)
			}
			_, err = since(ctx, e, first)
			if err := expect("LoadSince after Delete", err, store.ErrNotFound); err != nil {
				return err
			}
			r := first
			r.Data = doc("another life")
			if r, err = create(ctx, e.Store, r); err != nil {
				return err
			}
			got, err := since(ctx, e, first)
			if err != nil {
				return err
			}
			return e.same("LoadSince", got, r)
		}).only(SinceLoader),

	rule("Ended", "a Store must return ErrNotFound from LoadSince for a record that has expired, whatever its version",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			if err := e.pass(ctx, r.Expires); err != nil {
				return err
			}
			_, err = since(ctx, e, r)
			return expect("LoadSince", err, store.ErrNotFound)
		}).only(SinceLoader),
}

// since calls LoadSince with the id and version of r.
func since(ctx context.Context, e *env, r store.Record) (store.Record, error) {
	got, err := e.Store.(store.SinceLoader).LoadSince(ctx, r.ID, r.Version)
	if err != nil {
		return got, fmt.Errorf("LoadSince: %w", err)
	}
	return got, nil
}
