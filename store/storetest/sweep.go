package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var sweepCases = []testCase{
	rule("Removes", "a Store must remove all expired records in Sweep, return their number, and find none the next time",
		func(ctx context.Context, e *env) error {
			var records []store.Record
			var last time.Time
			for range many {
				r, err := create(ctx, e.Store, e.brief())
				if err != nil {
					return err
				}
				records, last = append(records, r), r.Expires
			}
			if err := e.pass(ctx, last); err != nil {
				return err
			}
			if err := e.sweep(ctx, many); err != nil {
				return err
			}
			for _, r := range records {
				if _, err := e.Store.Load(ctx, r.ID); errors.Is(err, store.ErrExpired) {
					return fmt.Errorf("Load after Sweep: %w, want plain ErrNotFound", err)
				}
			}
			return e.sweep(ctx, 0)
		}).only(Sweeper),

	rule("LeavesTheLive", "a Store must not remove in Sweep records that have not expired or never expire",
		func(ctx context.Context, e *env) error {
			never := e.record()
			never.Expires = time.Time{}
			never, err := create(ctx, e.Store, never)
			if err != nil {
				return err
			}
			kept, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			if _, err := e.expired(ctx); err != nil {
				return err
			}
			return first(
				e.sweep(ctx, 1),
				e.holds(ctx, e.Store, never),
				e.holds(ctx, e.Store, kept))
		}).only(Sweeper),

	rule("FollowsTouch", "a Store must remove in Sweep by the expiry that Touch or Update has set last",
		func(ctx context.Context, e *env) error {
			var records [4]store.Record
			for i := range records {
				r, err := create(ctx, e.Store, e.record())
				if err != nil {
					return err
				}
				records[i] = r
			}
			touched, updated := &records[0], &records[1]
			over := e.now().Add(-time.Minute)
			touched.Expires, updated.Expires = over, over
			if err := e.Store.Touch(ctx, touched.ID, touched.Expires); err != nil {
				return fmt.Errorf("Touch: %w", err)
			}
			if _, err := e.Store.Update(ctx, *updated); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			return first(
				e.sweep(ctx, 2),
				e.holds(ctx, e.Store, records[2]),
				e.holds(ctx, e.Store, records[3]))
		}).only(Sweeper),

	rule("LeavesTheExtended", "a Store must not remove in Sweep records whose expiry Touch or Update has moved to a later time or to never",
		func(ctx context.Context, e *env) error {
			var records [3]store.Record
			for i := range records {
				r, err := create(ctx, e.Store, e.brief())
				if err != nil {
					return err
				}
				records[i] = r
			}
			was := records[0].Expires
			records[0].Expires, records[1].Expires, records[2].Expires = e.hours(), time.Time{}, e.hours()
			for _, r := range records[:2] {
				if err := e.late(e.Store.Touch(ctx, r.ID, r.Expires), was); err != nil {
					return fmt.Errorf("Touch: %w", err)
				}
			}
			if _, err := e.Store.Update(ctx, records[2]); err != nil {
				return fmt.Errorf("Update: %w", e.late(err, was))
			}
			if err := e.pass(ctx, was.Add(e.life)); err != nil {
				return err
			}
			for i := range records {
				records[i].Version = 0
			}
			return first(
				e.sweep(ctx, 0),
				e.holds(ctx, e.Store, records[0]),
				e.holds(ctx, e.Store, records[1]),
				e.holds(ctx, e.Store, records[2]))
		}).only(Sweeper),

	rule("SparesTheRecreated", "a Store must not remove in Sweep a live record that has just taken the place of an expired one",
		func(ctx context.Context, e *env) error {
			sweeper, _ := store.As[store.Sweeper](e.Store)
			var records []store.Record
			var last time.Time
			for range rounds {
				r, err := create(ctx, e.Store, e.brief())
				if err != nil {
					return err
				}
				records, last = append(records, r), r.Expires
			}
			if err := e.pass(ctx, last); err != nil {
				return err
			}
			err := e.together(2, func(i int, s store.Store) error {
				if i == 0 {
					_, err := sweeper.Sweep(ctx)
					return expect("Sweep", err, nil)
				}
				for _, r := range records {
					if err := wait(ctx, 100*time.Microsecond); err != nil {
						return err
					}
					r.Expires = e.hours()
					if _, err := s.Create(ctx, r); err != nil {
						return fmt.Errorf("Create over an expired record: %w", err)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			for _, r := range records {
				if _, err := e.Store.Load(ctx, r.ID); err != nil {
					return fmt.Errorf("Load of a record created during Sweep: %w", err)
				}
			}
			return nil
		}).only(Sweeper),

	rule("EndedContext", "a Store must return the context's error from Sweep if the context has ended",
		func(ctx context.Context, e *env) error {
			sweeper, _ := store.As[store.Sweeper](e.Store)
			if _, err := e.expired(ctx); err != nil {
				return err
			}
			for name, ended := range endedContexts(ctx) {
				if _, err := sweeper.Sweep(ended); !isEnd(err, ended) {
					return fmt.Errorf("Sweep with a context that was %s: %v, want %q", name, err, ended.Err())
				}
			}
			return nil
		}).only(Sweeper),
}

// sweep checks the number of removed records that Sweep returns.
func (e *env) sweep(ctx context.Context, want int) error {
	sweeper, _ := store.As[store.Sweeper](e.Store)
	n, err := sweeper.Sweep(ctx)
	if err != nil {
		return fmt.Errorf("Sweep: %w", err)
	}
	if n != want {
		return fmt.Errorf("Sweep removed %d records, want %d", n, want)
	}
	return nil
}
