package storetest

import (
	"context"
	"fmt"

	"github.com/nestsession/session/store"
)

var versionCases = []testCase{
	rule("Changes", "a Store must give a changed record a new version, not zero, and return it from Load",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			for i := range 3 {
				before := r.Version
				r.Data = doc("change", i)
				if r.Version, err = e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				if r.Version == 0 || r.Version == before {
					return fmt.Errorf("Update returned version %d for a change of version %d", r.Version, before)
				}
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("ChangesWithoutAChange", "a Store must give a record a new version in an Update that changes nothing",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			v, err := e.Store.Update(ctx, r)
			if err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			if v == r.Version {
				return fmt.Errorf("Update returned the version %d that it replaced", v)
			}
			_, err = e.Store.Update(ctx, r)
			return expect("second Update of one version", err, store.ErrConflict)
		}).only(UniqueVersions),

	rule("NeverComesBack", "a Store must not give an id the same version twice, not even after Delete and Create",
		func(ctx context.Context, e *env) error {
			r := e.record()
			seen := map[store.Version]string{}
			note := func(what string, v store.Version, err error) error {
				if err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				if when, ok := seen[v]; ok {
					return fmt.Errorf("%s returned version %d, as %s did", what, v, when)
				}
				seen[v] = what
				r.Version = v
				return nil
			}
			for life := range 3 {
				v, err := e.Store.Create(ctx, r)
				if err := note(fmt.Sprintf("Create %d", life+1), v, err); err != nil {
					return err
				}
				for i := range 3 {
					r.Data = doc("content", i%2) // the same contents again and again
					v, err := e.Store.Update(ctx, r)
					if err := note(fmt.Sprintf("Update %d.%d", life+1, i+1), v, err); err != nil {
						return err
					}
				}
				if err := e.Store.Delete(ctx, r.ID); err != nil {
					return fmt.Errorf("Delete: %w", err)
				}
			}
			return nil
		}).only(UniqueVersions),
}
