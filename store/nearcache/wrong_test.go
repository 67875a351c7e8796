package nearcache_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// If a store returns a record with another id, that is an error, and the record is not kept.
func TestWrongRecord(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	n, err := nearcache.New(confused{b.Store}, nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	for _, id := range []string{"ada", "eve"} {
		if _, err := b.Create(t.Context(), store.Record{ID: id, Data: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if r, err := n.Load(t.Context(), "ada"); err == nil || errors.Is(err, store.ErrNotFound) || r.ID != "" {
			t.Errorf("Load of a store that answers another record: %+v, %v; want an error and no record", r, err)
		}
		if r, err := n.Load(t.Context(), "eve"); err != nil || string(r.Data) != "eve" {
			t.Errorf("Load of the record that it answers: %+v, %v", r, err)
		}
	}
}

// confused returns eve's record for every id.
type confused struct{ store.Store }

func (c confused) Load(ctx context.Context, _ string) (store.Record, error) {
	return c.Store.Load(ctx, "eve")
}
