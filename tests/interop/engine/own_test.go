package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/scenario"
)

// The library's own calls and records occur, and are not in the results.
func TestOwnTrafficIsLeftOut(t *testing.T) {
	t.Parallel()
	w := world(t, small)
	s, ctx := w.store(scenario.MainStore), t.Context()
	r := newRequest(&scenario.Step{})
	w.enter(r)
	defer w.leave()
	link := store.Record{ID: "nestsession:link:a", Data: []byte(`{}`), Expires: w.Now().Add(time.Hour)}
	for _, step := range []func() error{
		func() (err error) { link.Version, err = s.Create(ctx, link); return err },
		func() (err error) { link.Version, err = s.Update(ctx, link); return err },
		func() error { return s.Touch(ctx, link.ID, w.Now().Add(2*time.Hour)) },
		func() error { _, err := s.Load(ctx, link.ID); return err },
		func() error { return s.Delete(ctx, link.ID) },
		func() (err error) { _, err = s.Create(ctx, link); return err },
		func() error {
			_, err := s.Create(ctx, store.Record{ID: "a", Data: []byte(`{"cookie":{}}`), Expires: link.Expires})
			return err
		},
		func() error { // its version is not the record's: the last write wins
			_, err := s.Update(ctx, store.Record{ID: "a", Version: 99, Data: []byte(`{"cookie":{},"__nestsession":{"ended":1}}`), Expires: link.Expires})
			return err
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := s.documents(w.Now())
	if err != nil || len(docs) != 0 {
		t.Errorf("seen: %v, %v", docs, err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, c := range r.calls {
		calls = append(calls, c.Kind+" "+c.ID)
	}
	if want := []string{"set a", "destroy a"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
}
