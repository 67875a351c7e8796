package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

// expect compares an error with the sentinel that it should be, or with nil.
func expect(what string, got, want error) error {
	switch {
	case want == nil && got == nil, want != nil && errors.Is(got, want):
		return nil
	case want == nil:
		return fmt.Errorf("%s: %w", what, got)
	case got == nil:
		return fmt.Errorf("%s: no error, want %q", what, want)
	}
	return fmt.Errorf("%s: %w, want %q", what, got, want)
}

// first returns the first error, for checks that do not depend on each other.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// create creates a record and returns it with its version.
func create(ctx context.Context, s store.Store, r store.Record) (store.Record, error) {
	v, err := s.Create(ctx, r)
	if err != nil {
		return r, fmt.Errorf("Create: %w", err)
	}
	r.Version = v
	return r, nil
}

// holds checks that the store returns want. A zero Version in want stands for any version.
func (e *env) holds(ctx context.Context, s store.Store, want store.Record) error {
	got, err := s.Load(ctx, want.ID)
	if err != nil {
		return fmt.Errorf("Load: %w, want the record", err)
	}
	return e.same("Load", got, want)
}

// same compares records. Expiries are compared to the precision with which the store keeps them.
func (e *env) same(what string, got, want store.Record) error {
	switch {
	case got.ID != want.ID:
		return fmt.Errorf("%s: ID %q, want %q", what, got.ID, want.ID)
	case got.Owner != want.Owner:
		return fmt.Errorf("%s: Owner %q, want %q", what, got.Owner, want.Owner)
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Errorf("%s: Data %s, want %s", what, excerpt(got.Data), excerpt(want.Data))
	case got.Expires.IsZero() != want.Expires.IsZero():
		return fmt.Errorf("%s: Expires %v, want %v", what, got.Expires, want.Expires)
	case apart(got.Expires, want.Expires) >= e.opts.Resolution:
		return fmt.Errorf("%s: Expires %v, want %v", what, got.Expires, want.Expires)
	case got.Version == 0:
		return fmt.Errorf("%s: Version is zero", what)
	case want.Version != 0 && got.Version != want.Version:
		return fmt.Errorf("%s: Version %d, want %d", what, got.Version, want.Version)
	}
	return nil
}

// apart returns the absolute difference by the wall clock.
func apart(a, b time.Time) time.Duration {
	return a.Round(0).Sub(b.Round(0)).Abs()
}

func excerpt(b []byte) string {
	const most = 120
	if len(b) > most {
		return fmt.Sprintf("%q… (%d bytes)", b[:most], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// gone checks that the store has no record with the id.
func gone(ctx context.Context, s store.Store, id string) error {
	_, err := s.Load(ctx, id)
	return expect("Load", err, store.ErrNotFound)
}
