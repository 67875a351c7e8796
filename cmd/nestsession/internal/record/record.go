// Package record keeps values as JSON in records of a store, and changes them by swaps.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nestsession/session/store"
)

// Change replaces a value by what do makes of it, again if somebody else has written meanwhile. A
// record that does not exist is made. do returns when the record expires, zero for never, or false to
// leave it. Change reads from kept, whose reads are never out of date, and writes through near: the
// same store, or a cache in front of it.
func Change[T any](ctx context.Context, kept, near store.Store, id string, do func(v *T, exists bool) (expires time.Time, write bool)) (v T, err error) {
	for {
		r, err := kept.Load(ctx, id)
		exists := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
		v = *new(T)
		if exists {
			if err := json.Unmarshal(r.Data, &v); err != nil {
				return v, err
			}
		}
		expires, write := do(&v, exists)
		if !write {
			return v, nil
		}
		r.ID, r.Expires = id, expires
		if r.Data, err = json.Marshal(v); err != nil {
			return v, err
		}
		if exists {
			_, err = near.Update(ctx, r)
		} else {
			_, err = near.Create(ctx, r)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
	}
}
