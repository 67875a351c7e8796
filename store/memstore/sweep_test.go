package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func TestSweepsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{SweepInterval: time.Minute})
		defer s.Close()
		ctx := context.Background()
		for round := range 3 { // it starts again when there is something new
			for i, life := range []time.Duration{30 * time.Second, 90 * time.Second, 0} {
				r := store.Record{ID: fmt.Sprint(round, i), Expires: time.Now().Add(life)}
				if life == 0 {
					r.Expires = time.Time{}
				}
				if _, err := s.Create(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			over := func() error {
				_, err := s.Load(ctx, fmt.Sprint(round, 0))
				return err
			}
			time.Sleep(30 * time.Second) // fake time
			wantErr(t, "Load of an expired session that is not swept yet", over(), store.ErrExpired)
			time.Sleep(31 * time.Second)
			if err := over(); !errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExpired) {
				t.Errorf("Load of a swept session: %v, want plain ErrNotFound", err)
			}
			if got := s.Stats().Sessions; got != int64(2+round) {
				t.Errorf("%d sessions kept after a sweep, want %d", got, 2+round)
			}
			time.Sleep(time.Hour)
			if got := s.Stats().Sessions; got != int64(1+round) {
				t.Errorf("%d sessions kept after all sweeps, want %d", got, 1+round)
			}
		}
		if got := s.Stats().Expired; got != 6 {
			t.Errorf("Stats.Expired is %d, want 6", got)
		}
	})
}

func TestNegativeIntervalSweepsNever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{SweepInterval: -1})
		defer s.Close()
		ctx := context.Background()
		if _, err := s.Create(ctx, store.Record{ID: "a", Expires: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour) // fake time
		_, err := s.Load(ctx, "a")
		wantErr(t, "Load", err, store.ErrExpired)
		if n, err := s.Sweep(ctx); n != 1 || err != nil {
			t.Errorf("Sweep removed %d, %v, want 1", n, err)
		}
	})
}

// Once no session is left that expires, no sweep runs until one is added again.
func TestNoSweepsWhileNothingExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		s := memstore.New(memstore.Config{SweepInterval: time.Minute, Now: func() time.Time {
			looks.Add(1)
			return time.Now()
		}})
		defer s.Close()
		looksInAnHour := func() int32 {
			before := looks.Load()
			time.Sleep(time.Hour) // fake time
			return looks.Load() - before
		}
		create := func(id string, expires time.Time) {
			if _, err := s.Create(t.Context(), store.Record{ID: id, Expires: expires}); err != nil {
				t.Fatal(err)
			}
		}
		create("never expires", time.Time{})
		if n := looksInAnHour(); n != 0 {
			t.Errorf("%d sweeps in an hour without a session that expires", n)
		}
		for id, end := range map[string]func(id string) error{
			"deleted": func(id string) error { return s.Delete(t.Context(), id) },
			"touched": func(id string) error { return s.Touch(t.Context(), id, time.Time{}) },
			"swept":   func(id string) error { return s.Touch(t.Context(), id, time.Now()) },
		} {
			create(id, time.Now().Add(24*time.Hour))
			if n := looksInAnHour(); n < 59 {
				t.Errorf("%d sweeps in an hour with a session that expires, want 60", n)
			}
			if err := end(id); err != nil {
				t.Fatal(err)
			}
			if n := looksInAnHour(); n > 1 {
				t.Errorf("%d sweeps in an hour after the session was %s", n, id)
			}
		}
	})
}

// A bubble does not end while a goroutine of the store is in it: there is none between
// sweeps, whether the store is closed or not.
func TestNoGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New(memstore.Config{})
			if _, err := s.Create(context.Background(), store.Record{ID: "a", Expires: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute) // fake time, some sweeps
			if closed {
				s.Close()
			}
		})
	}
}

// The timer does not prevent an unused store from being garbage collected.
func TestForgottenStoreIsCollected(t *testing.T) {
	t.Parallel()
	ref := forgotten(t)
	runtime.GC()
	if ref.Value() != nil {
		t.Error("the store is still there after a garbage collection")
	}
}

//go:noinline
func forgotten(t *testing.T) weak.Pointer[memstore.Store] {
	s := memstore.New(memstore.Config{SweepInterval: time.Hour})
	if _, err := s.Create(context.Background(), store.Record{ID: "a", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return weak.Make(s)
}

// stepping is a context that calls step in each call of Err, which a sweep makes between its
// steps.
type stepping struct {
	context.Context
	step func() error
}

func (c stepping) Err() error { return c.step() }

// Between two steps of a sweep, which are short, requests are served: the sweep holds no
// lock.
func TestSweepTakesSmallSteps(t *testing.T) {
	t.Parallel()
	const expired, live = 5000, 100
	f := setup(t, memstore.Config{})
	for i := range live {
		f.create(fmt.Sprint("live", i))
	}
	for i := range expired {
		id := fmt.Sprint("over", i)
		f.create(id)
		f.touch(id, 0)
	}
	steps, before := 0, f.Stats().Sessions
	ctx := stepping{context.Background(), func() error {
		for i := range live {
			if err := f.load(fmt.Sprint("live", i)); err != nil {
				t.Errorf("Load during a sweep: %v", err)
			}
		}
		after := f.Stats().Sessions
		if before-after > 32 {
			t.Errorf("%d sessions removed in one step", before-after)
		}
		steps, before = steps+1, after
		return nil
	}}
	if n, err := f.Sweep(ctx); n != expired || err != nil {
		t.Errorf("Sweep removed %d, %v, want %d", n, err, expired)
	}
	if steps < expired/32 {
		t.Errorf("%d steps for %d sessions", steps, expired)
	}
}

func TestSweepStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	for i := range 1000 {
		f.create(fmt.Sprint(i))
	}
	f.clock.advance(2 * time.Hour)
	calls := 0
	ctx := stepping{context.Background(), func() error {
		if calls++; calls > 5 {
			return context.Canceled
		}
		return nil
	}}
	n, err := f.Sweep(ctx)
	wantErr(t, "Sweep", err, context.Canceled)
	if n == 0 || n > 5*32 || f.Stats().Sessions != int64(1000-n) {
		t.Errorf("Sweep says that it removed %d, and %d of 1000 are left", n, f.Stats().Sessions)
	}
}

// Close in the middle of a sweep ends it.
func TestCloseEndsASweep(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	for i := range 1000 {
		f.create(fmt.Sprint(i))
	}
	f.clock.advance(2 * time.Hour)
	calls := 0
	ctx := stepping{context.Background(), func() error {
		if calls++; calls == 3 {
			f.Close()
		}
		return nil
	}}
	_, err := f.Sweep(ctx)
	wantErr(t, "Sweep of a store that is closed meanwhile", err, store.ErrClosed)
}

// When Close has returned, no sweep is running, and none begins.
func TestCloseWaitsForASweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inSweep, sweeps atomic.Int32
		release := make(chan struct{})
		s := memstore.New(memstore.Config{SweepInterval: time.Minute, Now: func() time.Time {
			if inSweep.Load() == 1 { // no other call reads the clock at this moment
				sweeps.Add(1)
				<-release
			}
			return time.Now()
		}})
		if _, err := s.Create(t.Context(), store.Record{ID: "a", Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		inSweep.Store(1)
		time.Sleep(time.Minute) // fake time
		synctest.Wait()
		if sweeps.Load() != 1 {
			t.Fatalf("%d sweeps after a minute, want 1", sweeps.Load())
		}
		var closed atomic.Bool
		go func() {
			s.Close()
			closed.Store(true)
		}()
		synctest.Wait()
		if closed.Load() {
			t.Error("Close has returned while a sweep was under way")
		}
		close(release)
		synctest.Wait()
		if !closed.Load() {
			t.Error("Close has not returned after the sweep")
		}
		time.Sleep(time.Hour) // fake time
		if sweeps.Load() != 1 {
			t.Errorf("%d sweeps, want none after Close", sweeps.Load()-1)
		}
	})
}
