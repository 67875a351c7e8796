package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// watched runs f in a bubble during a Watch, and returns the events.
func watched(t *testing.T, c memstore.Config, f func(ctx context.Context, s *memstore.Store)) (events []store.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- s.Watch(ctx, func(ev store.Event) { events = append(events, ev) })
		}()
		synctest.Wait()
		if !slices.Equal(events, []store.Event{{}}) {
			t.Errorf("events when the watch begins: %v, want one without an ID", events)
		}
		events = nil
		f(ctx, s)
		synctest.Wait()
		cancel()
		wantErr(t, "Watch", <-done, context.Canceled)
		s.Close()
	})
	return events
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var u store.Version
	got := watched(t, memstore.Config{MaxSessions: 2, SweepInterval: time.Minute}, func(ctx context.Context, s *memstore.Store) {
		create := func(id string, life time.Duration) store.Version {
			v, err := s.Create(ctx, store.Record{ID: id, Expires: time.Now().Add(life)})
			if err != nil {
				t.Errorf("Create %q: %v", id, err)
			}
			return v
		}
		v := create("a", time.Hour)
		u, _ = s.Update(ctx, store.Record{ID: "a", Version: v, Expires: time.Now().Add(time.Hour)})
		_, _ = s.Update(ctx, store.Record{ID: "a", Version: v}) // in vain
		_ = s.Touch(ctx, "a", time.Now().Add(2*time.Hour))
		_ = s.Touch(ctx, "none", time.Now().Add(2*time.Hour))
		_ = s.Delete(ctx, "a")
		_ = s.Delete(ctx, "a")
		create("b", time.Hour)
		create("c", time.Second)
		time.Sleep(time.Second) // fake time
		create("c", 30*time.Second)
		time.Sleep(61 * time.Second)
		create("d", time.Hour)
		create("e", time.Hour)
	})
	want := []store.Event{
		{ID: "a", Version: u},  // updated
		{ID: "a"},              // touched
		{ID: "a", Ended: true}, // deleted
		{ID: "c"},              // replaced when it had expired
		{ID: "c", Ended: true}, // swept
		{ID: "b", Ended: true}, // evicted
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestEventsComeInOrder(t *testing.T) {
	t.Parallel()
	var want []store.Event
	got := watched(t, memstore.Config{}, func(ctx context.Context, s *memstore.Store) {
		for i := range 300 {
			id := fmt.Sprint(i)
			_, _ = s.Create(ctx, store.Record{ID: id})
			_ = s.Touch(ctx, id, time.Now().Add(time.Hour))
			_ = s.Delete(ctx, id)
			want = append(want, store.Event{ID: id}, store.Event{ID: id, Ended: true})
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("%d events %v…, want %d", len(got), got[:min(len(got), 5)], len(want))
	}
}

// A watcher that is too slow gets an event that says so, no older events after that, and
// every later one.
func TestSlowWatcherIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{})
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		var events []store.Event
		done := make(chan error)
		go func() {
			done <- s.Watch(ctx, func(ev store.Event) {
				<-release
				events = append(events, ev)
			})
		}()
		synctest.Wait()
		touch := func(id string) {
			if err := s.Touch(ctx, id, time.Now().Add(time.Hour)); err != nil {
				t.Errorf("Touch while a watcher is slow: %v", err)
			}
		}
		for _, id := range []string{"many", "last"} {
			if _, err := s.Create(ctx, store.Record{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		for range 1025 {
			touch("many")
		}
		touch("last")
		close(release)
		synctest.Wait()
		want := []store.Event{{}, {}, {ID: "last"}}
		if !slices.Equal(events, want) {
			t.Errorf("%d events %v…, want %v", len(events), events[:min(len(events), 5)], want)
		}
		touch("many")
		synctest.Wait()
		if got := events[len(events)-1]; got.ID != "many" {
			t.Errorf("last event is %v, want one of \"many\"", got)
		}
		cancel()
		<-done
	})
}

// A watcher that is just fast enough misses no event.
func TestFullBacklogIsKept(t *testing.T) {
	t.Parallel()
	got := watched(t, memstore.Config{}, func(ctx context.Context, s *memstore.Store) {
		_, _ = s.Create(ctx, store.Record{ID: "a"})
		for range 1024 {
			_ = s.Touch(ctx, "a", time.Now().Add(time.Hour))
		}
	})
	if len(got) != 1024 || slices.Contains(got, store.Event{}) {
		t.Errorf("%d events, want 1024 and none missed", len(got))
	}
}

// A watcher whose context ends gets no more events, not even those in its queue.
func TestWatchEndsBetweenEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{})
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := s.Create(ctx, store.Record{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		var heard int
		err := s.Watch(ctx, func(ev store.Event) {
			if ev.ID == "" {
				for range 10 {
					_ = s.Touch(ctx, "a", time.Now().Add(time.Hour))
				}
				return
			}
			if heard++; heard == 3 {
				cancel()
			}
		})
		wantErr(t, "Watch", err, context.Canceled)
		if heard != 3 {
			t.Errorf("%d events heard, want 3", heard)
		}
	})
}

func TestCloseEndsWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(memstore.Config{})
		done := make(chan error)
		for range 3 {
			go func() {
				// Closing is allowed inside, too.
				done <- s.Watch(t.Context(), func(store.Event) {})
			}()
		}
		go func() {
			done <- s.Watch(t.Context(), func(ev store.Event) {
				if ev.ID != "" {
					s.Close()
				}
			})
		}()
		synctest.Wait()
		_, _ = s.Create(t.Context(), store.Record{ID: "a"})
		_ = s.Delete(t.Context(), "a")
		for range 4 {
			if err := <-done; !errors.Is(err, store.ErrClosed) {
				t.Errorf("Watch: %v, want ErrClosed", err)
			}
		}
	})
}
