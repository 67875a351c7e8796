package watch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/internal/watch"
	"github.com/nestsession/session/store"
)

var (
	errOver = errors.New("over")
	errDown = errors.New("the store is down")
)

// world has the sessions and the events of a store as a hub sees them.
type world struct {
	mu     sync.Mutex
	ended  map[string]error
	moved  map[string]string
	until  time.Time
	down   bool
	looks  map[string]int
	gate   chan struct{} // if set, a look waits for it
	events chan store.Event
	fail   chan error // ends the watch
}

func newWorld() *world {
	return &world{ended: map[string]error{}, moved: map[string]string{}, looks: map[string]int{}, events: make(chan store.Event), fail: make(chan error)}
}

func (w *world) look(_ context.Context, key string, _ time.Time) (watch.State, error) {
	w.mu.Lock()
	w.looks[key]++
	down, gate := w.down, w.gate
	state := watch.State{Key: key, Until: w.until, Ended: w.ended[key]}
	if next := w.moved[key]; next != "" {
		state.Key = next
	}
	w.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if down {
		return watch.State{}, errDown
	}
	return state, nil
}

func (w *world) Watch(ctx context.Context, fn func(store.Event)) error {
	fn(store.Event{})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-w.events:
			fn(e)
		case err := <-w.fail:
			return err
		}
	}
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) looked(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks[key]
}

func (w *world) hub() *watch.Hub {
	return watch.New(watch.Config{Look: w.look, Watch: w, Recheck: time.Minute, Now: time.Now})
}

// ear records what the hub reports to a listener.
type ear struct {
	mu    sync.Mutex
	cause error
	told  int
	moved []string
}

func (e *ear) Ended(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cause = cause
	e.told++
}

func (e *ear) Moved(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved = append(e.moved, key)
}

func (e *ear) want(t *testing.T, cause error) {
	t.Helper()
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	told := 0
	if cause != nil {
		told = 1
	}
	if !errors.Is(e.cause, cause) || e.told != told {
		t.Errorf("notified %d times: %v, want %v", e.told, e.cause, cause)
	}
}

func bubble(t *testing.T, f func(t *testing.T, w *world, h *watch.Hub)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub()
		f(t, w, h)
		h.Close(errOver) // the bubble fails if a goroutine is left
	})
}

func TestEventIsAHintOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var e ear
		h.Add("a", time.Time{}, &e)
		for _, event := range []store.Event{{ID: "a"}, {ID: "a", Ended: true}, {ID: "b", Ended: true}, {}} {
			w.events <- event
			e.want(t, nil)
		}
		w.set(func() { w.ended["a"] = errOver })
		w.events <- store.Event{ID: "a"}
		e.want(t, errOver)
	})
}

// A store may name a record only by the digest of its key.
func TestEventWithADigest(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		for _, key := range []string{"a", "b"} { // b's digest is looked up although the index was computed before b had a waiter
			var e, other ear
			h.Add(key, time.Time{}, &e)
			h.Add("other", time.Time{}, &other)
			synctest.Wait()
			w.set(func() { w.ended[key] = errOver })
			looked := w.looked("other")
			w.events <- store.Event{Digest: store.DigestOf("nobody's")}
			e.want(t, nil)
			w.events <- store.Event{Digest: store.DigestOf(key)}
			e.want(t, errOver)
			if w.looked("other") != looked {
				t.Error("others were looked at as well")
			}
		}
	})
}

// The hub sees an end before it has begun to watch, an end whose event was lost, and an end that
// comes while it looks at the session.
func TestEndsThatNoEventTells(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var early, lost, during, unwatched ear
		w.ended["early"] = errOver
		h.Add("early", time.Time{}, &early)
		early.want(t, errOver)

		h.Add("lost", time.Time{}, &lost)
		synctest.Wait()
		w.set(func() { w.ended["lost"] = errOver })
		time.Sleep(time.Minute)
		lost.want(t, errOver)

		h.Add("during", time.Time{}, &during)
		synctest.Wait()
		gate := make(chan struct{})
		w.set(func() { w.gate = gate })
		w.events <- store.Event{ID: "during"}
		synctest.Wait() // it has called look, which has not returned
		w.set(func() { w.ended["during"], w.gate = errOver, nil })
		w.events <- store.Event{ID: "during"}
		close(gate)
		during.want(t, errOver)

		h.Add("unwatched", time.Time{}, &unwatched)
		synctest.Wait()
		w.set(func() { w.ended["unwatched"] = errOver })
		w.fail <- errDown
		unwatched.want(t, errOver)
	})
}

func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var e ear
		w.until = time.Now().Add(30 * time.Second)
		h.Add("a", w.until, &e)
		time.Sleep(20 * time.Second)
		w.set(func() { w.until = time.Now().Add(20 * time.Second) }) // touched, and no event reports it
		time.Sleep(10 * time.Second)
		e.want(t, nil)
		w.set(func() { w.ended["a"] = errOver })
		time.Sleep(10 * time.Second)
		e.want(t, errOver)
	})
}

// A failing store ends no session before its expiry, and is not polled too often. A session that
// expires meanwhile is reported as expired, since nobody can know that it was extended.
func TestStoreDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var long, short ear
		w.down = true
		h.Add("long", time.Now().Add(time.Hour), &long)
		h.Add("short", time.Now().Add(30*time.Second), &short)
		time.Sleep(29 * time.Second)
		short.want(t, nil)
		if n := w.looked("short"); n < 5 || n > 30 {
			t.Errorf("polled %d times in half a minute", n)
		}
		time.Sleep(time.Second)
		short.want(t, errDown)
		long.want(t, nil)
		w.set(func() { w.down, w.ended["long"] = false, errOver })
		time.Sleep(5 * time.Second)
		long.want(t, errOver)
	})
}

func TestRenewalIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var one, two, late ear
		h.Add("old", time.Time{}, &one)
		h.Add("old", time.Time{}, &two)
		h.Add("new", time.Time{}, &late)
		synctest.Wait()
		w.set(func() { w.moved["old"] = "new" })
		w.events <- store.Event{ID: "old"}
		synctest.Wait()
		w.set(func() { w.ended["old"] = errOver }) // the pointer from the old id is gone
		w.events <- store.Event{ID: "old", Ended: true}
		one.want(t, nil)
		if len(one.moved) != 1 || one.moved[0] != "new" || late.moved != nil {
			t.Errorf("moved %v, %v", one.moved, late.moved)
		}
		h.Move("new", "newer")
		h.End("newer", errOver)
		for _, e := range []*ear{&one, &two, &late} {
			e.want(t, errOver)
		}
	})
}

func TestRemoveAndClose(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		var gone, one, other, after ear
		wg := h.Add("a", time.Time{}, &gone)
		h.Add("a", time.Time{}, &one)
		h.Remove(wg)
		h.Remove(wg)
		h.End("a", errOver)
		gone.want(t, nil)
		one.want(t, errOver)
		wo := h.Add("b", time.Time{}, &other) // the hub works again
		synctest.Wait()
		w.events <- store.Event{ID: "b"}
		h.Close(errDown)
		other.want(t, errDown)
		h.Remove(wo)
		h.Add("c", time.Time{}, &after)
		after.want(t, errDown)
	})
}

// However many waiters there are, a few goroutines serve them, and all are notified.
func TestManyWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, h *watch.Hub) {
		const n = 10_000
		ears := make([]ear, n)
		for i := range ears {
			h.Add(fmt.Sprint(i), time.Time{}, &ears[i])
		}
		synctest.Wait()
		w.set(func() {
			for i := range n / 2 {
				w.ended[fmt.Sprint(i)] = errOver
			}
		})
		w.events <- store.Event{}
		synctest.Wait()
		for i := range ears {
			var want error
			if i < n/2 {
				want = errOver
			}
			if ears[i].cause != want {
				t.Fatalf("waiter %d was notified of %v, want %v", i, ears[i].cause, want)
			}
		}
	})
}
