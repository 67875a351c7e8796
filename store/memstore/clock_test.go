package memstore

import (
	"context"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// If the wall clock was set, or the machine was asleep, the anchor is wrong. The next write
// corrects it.
func TestSteppedClockIsNoticedAtTheNextWrite(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		s := New(Config{})
		defer s.Close()
		ctx := context.Background()
		r := store.Record{ID: "a", Expires: time.Now().Add(30 * time.Minute)}
		if _, err := s.Create(ctx, r); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		s.clock.anchor.Store(&anchor{at: at, unix: at.Add(off).UnixNano()})
		if err := s.Touch(ctx, "a", r.Expires); err != nil {
			t.Errorf("Touch with the clock off by %v: %v", off, err)
		}
		if _, err := s.Load(ctx, "a"); err != nil {
			t.Errorf("Load with the clock off by %v, after a write: %v", off, err)
		}
		if drift := time.Duration(s.clock.now() - time.Now().UnixNano()).Abs(); drift > time.Minute {
			t.Errorf("the clock is still off by %v", drift)
		}
	}
}
