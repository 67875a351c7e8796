package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
)

var loadCases = []testCase{
	rule("Unknown", "a Store must return ErrNotFound, and not ErrExpired, for an id that it never kept",
		func(ctx context.Context, e *env) error {
			_, err := e.Store.Load(ctx, e.id())
			if errors.Is(err, store.ErrExpired) {
				return fmt.Errorf("Load: %w, want plain ErrNotFound", err)
			}
			return expect("Load", err, store.ErrNotFound)
		}),

	rule("WhatWasCreated", "a Store must return the record as it was created, with the version that Create returned",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("TheOneAskedFor", "a Store must return the requested record, with its own ID, also from many calls at the same time and for equal records",
		func(ctx context.Context, e *env) error {
			var all []store.Record
			for range callers {
				r := e.record()
				r.Data = doc("alike")
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return err
				}
				all = append(all, r)
			}
			for _, r := range all {
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
			}
			return e.together(4*len(all), func(i int, s store.Store) error {
				return e.holds(ctx, s, all[i%len(all)])
			})
		}),

	rule("Nobodys", "a Store must keep a record without an owner",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Owner = ""
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("ChangesNothing", "a Store must return the same record, with the same version, until there is a write",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for range 3 {
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
			}
			r.Data = doc("after loads")
			_, err = e.Store.Update(ctx, r)
			return expect("Update after loads", err, nil)
		}),
}
