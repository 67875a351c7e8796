package memstore_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// hand is a clock that is moved by hand.
type hand struct{ at atomic.Int64 }

func newHand() *hand {
	h := new(hand)
	h.at.Store(time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC).UnixNano())
	return h
}

func (h *hand) now() time.Time          { return time.Unix(0, h.at.Load()) }
func (h *hand) advance(d time.Duration) { h.at.Add(int64(d)) }

// fixture is a store with shorthands that fail the test.
type fixture struct {
	*memstore.Store
	t     *testing.T
	clock *hand
}

// setup makes a store by the given Config, with a clock that is moved by hand and
// a millisecond later at each call of the shorthands.
func setup(t *testing.T, c memstore.Config) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: newHand()}
	c.Now = f.clock.now
	f.Store = memstore.New(c)
	t.Cleanup(func() { f.Close() })
	return f
}

func (f *fixture) create(id string, data ...byte) store.Version {
	f.t.Helper()
	v, err := f.tryCreate(id, data...)
	if err != nil {
		f.t.Fatalf("Create %q: %v", id, err)
	}
	return v
}

func (f *fixture) tryCreate(id string, data ...byte) (store.Version, error) {
	f.clock.advance(time.Millisecond)
	return f.Create(context.Background(), store.Record{ID: id, Data: data, Expires: f.clock.now().Add(time.Hour)})
}

func (f *fixture) load(id string) error {
	f.clock.advance(time.Millisecond)
	_, err := f.Load(context.Background(), id)
	return err
}

func (f *fixture) touch(id string, life time.Duration) {
	f.t.Helper()
	f.clock.advance(time.Millisecond)
	if err := f.Touch(context.Background(), id, f.clock.now().Add(life)); err != nil {
		f.t.Fatalf("Touch %q: %v", id, err)
	}
}

func (f *fixture) update(id string, v store.Version, data ...byte) error {
	f.clock.advance(time.Millisecond)
	_, err := f.Update(context.Background(), store.Record{ID: id, Version: v, Data: data, Expires: f.clock.now().Add(time.Hour)})
	return err
}

// ids are the ids of all live records, sorted.
func (f *fixture) ids() (ids []string) {
	f.t.Helper()
	for r, err := range f.List(context.Background(), "") {
		if err != nil {
			f.t.Fatalf("List: %v", err)
		}
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

func (f *fixture) holds(want ...string) {
	f.t.Helper()
	if got := f.ids(); !slices.Equal(got, want) {
		f.t.Fatalf("the store holds %q, want %q", got, want)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}
