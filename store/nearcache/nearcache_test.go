package nearcache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// backend is a store behind a cache. A test sees and delays the calls of the cache, and
// decides when the store reports events.
type backend struct {
	store.Store
	loads  int
	before func(op string)  // runs before each call
	after  func(op string)  // and before its answer is handed over
	events chan store.Event // nil: no events
	broken chan struct{}    // ends the watch
}

func newBackend(t *testing.T) *backend {
	mem := memstore.New(memstore.Config{})
	t.Cleanup(func() { mem.Close() })
	return &backend{Store: mem, events: make(chan store.Event), broken: make(chan struct{})}
}

func (b *backend) call(op string) func() {
	if b.before != nil {
		b.before(op)
	}
	return func() {
		if b.after != nil {
			b.after(op)
		}
	}
}

func (b *backend) Load(ctx context.Context, id string) (store.Record, error) {
	b.loads++
	defer b.call("load")()
	return b.Store.Load(ctx, id)
}

func (b *backend) Update(ctx context.Context, r store.Record) (store.Version, error) {
	defer b.call("update")()
	return b.Store.Update(ctx, r)
}

func (b *backend) Watch(ctx context.Context, fn func(store.Event)) error {
	fn(store.Event{})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.broken:
			return errors.New("the connection broke")
		case e := <-b.events:
			fn(e)
		}
	}
}

// change is an update by another node, which was not reported yet.
func (b *backend) change(t *testing.T, id, text string) store.Event {
	t.Helper()
	r, err := b.Store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r.Data = []byte(text)
	v, err := b.Store.Update(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return store.Event{ID: id, Version: v}
}

// report reports an event to the cache.
func (b *backend) report(e store.Event) {
	b.events <- e
	synctest.Wait()
}

type bench struct {
	*backend
	near *nearcache.Cache
	t    *testing.T
}

// bubble runs a test on a cache with the session "a" in the state "1".
func bubble(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t)
		n := open(t, b, nearcache.Config{})
		if _, err := b.Create(t.Context(), store.Record{ID: "a", Data: []byte("1"), Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(t, &bench{b, n, t})
	})
}

// want loads the session and checks its state, and whether the cache loaded it from the
// store.
func (b *bench) want(text string, asked bool) {
	b.t.Helper()
	before := b.loads
	r, err := b.near.Load(b.t.Context(), "a")
	if text == "" {
		if !errors.Is(err, store.ErrNotFound) {
			b.t.Errorf("loaded %q, %v, want none", r.Data, err)
		}
	} else if err != nil || string(r.Data) != text {
		b.t.Errorf("loaded %q, %v, want %q", r.Data, err, text)
	}
	if got := b.loads > before; got != asked {
		b.t.Errorf("asked the store: %v, want %v", got, asked)
	}
}

func TestReadsStayInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		for range 10 {
			b.want("1", false)
		}
		if s := b.near.Stats(); s.Hits != 10 || s.Misses != 1 || s.Entries != 1 || s.Bytes < 256 {
			t.Errorf("%+v", s)
		}
	})
}

// A change by another node is seen when it is reported, or else after MaxStale.
func TestChangesElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		e := b.change(t, "a", "2")
		b.want("1", false)
		b.report(e)
		b.want("2", true)
		b.report(e) // repeated
		b.want("2", false)
		b.change(t, "a", "3")
		time.Sleep(nearcache.DefaultMaxStale)
		b.want("2", false)
		time.Sleep(time.Nanosecond)
		b.want("3", true)
		b.report(store.Event{ID: "a"}) // a touch: the version is the same, the expiry is not
		b.want("3", true)
		_ = b.Store.Delete(t.Context(), "a")
		b.report(store.Event{Digest: store.DigestOf("b"), Ended: true})
		b.want("3", false)
		b.report(store.Event{ID: "a", Ended: true})
		b.want("", true)
	})
}

// While heartbeats arrive, records do not become stale. If the connection has failed without an
// error, no record is served for longer than MaxStale.
func TestHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		for range 100 {
			b.report(store.Event{Whole: time.Now()})
			time.Sleep(nearcache.DefaultMaxStale / 2)
			b.want("1", false)
		}
		b.change(t, "a", "2") // and no event is reported any more
		time.Sleep(nearcache.DefaultMaxStale / 2)
		b.want("1", false)
		time.Sleep(time.Nanosecond)
		b.want("2", true)
	})
}

// After an event that some may have been missed, every record is loaded again.
func TestMissedEvents(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		b.report(store.Event{Whole: time.Now()})
		b.change(t, "a", "2")
		b.report(store.Event{})
		b.want("2", true)
		b.change(t, "a", "3")
		b.broken <- struct{}{}
		synctest.Wait()
		b.want("3", true)
	})
}

// A loaded record is not kept if it was changed meanwhile, whether the store's answer or the
// event comes first.
func TestFillThatRacedAnInvalidation(t *testing.T) {
	for name, e := range map[string]func(b *bench) store.Event{
		"changed": func(b *bench) store.Event { return b.change(b.t, "a", "2") },
		"touched": func(b *bench) store.Event { b.change(b.t, "a", "2"); return store.Event{ID: "a"} },
		"by its digest": func(b *bench) store.Event {
			return store.Event{Digest: store.DigestOf("a"), Version: b.change(b.t, "a", "2").Version}
		},
		"missed events": func(b *bench) store.Event { b.change(b.t, "a", "2"); return store.Event{} },
		"changed twice": func(b *bench) store.Event { b.report(b.change(b.t, "a", "x")); return b.change(b.t, "a", "2") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				b.after = func(string) { b.after = nil; b.report(e(b)) }
				b.want("1", true)
				b.want("2", true)
				b.want("2", false)
			})
		})
	}
}

// A record whose load began before or during a write of this node is not kept; the written
// record is.
func TestOwnWrites(t *testing.T) {
	for _, when := range []string{"before", "during"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				r, err := b.near.Load(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				b.report(store.Event{})
				filled, answer := make(chan struct{}), make(chan struct{})
				fill := func() {
					b.after = func(string) { b.after = nil; <-answer } // it has the old state, and is slow
					go func() { defer close(filled); _, _ = b.near.Load(t.Context(), "a") }()
					synctest.Wait()
				}
				if when == "before" {
					fill()
				} else {
					b.before = func(string) { b.before = nil; fill() }
				}
				r.Data = []byte("2")
				v, err := b.near.Update(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				b.want("2", false)
				b.report(store.Event{ID: "a", Version: v}) // this node's own write
				b.want("2", false)
				close(answer)
				<-filled
				if got, err := b.near.Load(t.Context(), "a"); err != nil || string(got.Data) != "2" {
					t.Errorf("after the slow fill: %q, %v", got.Data, err)
				}
			})
		})
	}
}

// A written record is not kept if another node has written since, whether the answer or the
// event comes first.
func TestOwnWriteBeforeAnother(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		r, _ := b.near.Load(t.Context(), "a")
		r.Data = []byte("2")
		b.after = func(string) {
			b.after = nil
			ours, _ := b.Store.Load(t.Context(), "a")
			b.report(store.Event{ID: "a", Version: ours.Version})
			b.report(b.change(t, "a", "3"))
		}
		if _, err := b.near.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		b.want("3", true)
	})
}

// After a conflict the record is loaded from the store, so that the replay sees the newer
// version.
func TestConflictEvicts(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		r, _ := b.near.Load(t.Context(), "a")
		b.change(t, "a", "2")
		r.Data = []byte("mine")
		if _, err := b.near.Update(t.Context(), r); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Update: %v", err)
		}
		b.want("2", true)
	})
}

// A node sees its own Touch and Delete at once.
func TestOwnTouchAndDelete(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		later := time.Now().Add(5 * time.Hour)
		if err := b.near.Touch(t.Context(), "a", later); err != nil {
			t.Fatal(err)
		}
		if r, err := b.near.Load(t.Context(), "a"); err != nil || !r.Expires.Equal(later) {
			t.Errorf("after Touch: %v, %v", r.Expires, err)
		}
		if err := b.near.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		b.want("", true)
	})
}

// A load that is running when this node ends or touches the session is not kept, although
// the store does not report that.
func TestFillThatRacedAnOwnEnd(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		filled, answer := make(chan struct{}), make(chan struct{})
		b.after = func(string) { b.after = nil; <-answer }
		go func() { defer close(filled); _, _ = b.near.Load(t.Context(), "a") }()
		synctest.Wait()
		if err := b.near.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		close(answer)
		<-filled
		b.want("", true)
	})
}

// A record that was too old to be served is not served when the connection works again, if
// the store has returned ErrNotFound meanwhile.
func TestStaleRecordIsDroppedWhenNotFound(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		time.Sleep(nearcache.DefaultMaxStale + 1)
		_ = b.Store.Delete(t.Context(), "a")
		b.want("", true)
		b.report(store.Event{Whole: time.Now()})
		b.want("", true)
	})
}

// The cache does not remember that a session did not exist, so it finds one that another
// node creates.
func TestMissingSessionIsNotCached(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		_ = b.Store.Delete(t.Context(), "a")
		b.want("", true)
		if _, err := b.Store.Create(t.Context(), store.Record{ID: "a", Data: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		b.want("new", true)
	})
}

// An expired record is not served, and one that another node has touched stays alive.
func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		for range 3600 {
			time.Sleep(time.Second)
			b.report(store.Event{Whole: time.Now()})
		}
		b.want("", true)
		_ = b.Store.Delete(t.Context(), "a")
		if _, err := b.Store.Create(t.Context(), store.Record{ID: "a", Data: []byte("1"), Expires: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		b.want("1", true)
		_ = b.Touch(t.Context(), "a", time.Now().Add(time.Hour))
		time.Sleep(time.Second)
		b.want("1", true)
	})
}

// Two loads at the same time may return different versions: the next load does not return
// the older one.
func TestNoOlderStateAfterANewerOne(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		slow, answered := make(chan struct{}), make(chan struct{})
		hold := true
		b.before = func(string) {
			if hold { // the first to ask is the last to be answered, of the newest state
				hold = false
				<-slow
			}
		}
		go func() {
			defer close(answered)
			if r, err := b.near.Load(t.Context(), "a"); err != nil || string(r.Data) != "2" {
				t.Errorf("the slow one: %q, %v", r.Data, err)
			}
		}()
		synctest.Wait()
		b.want("1", true)
		b.change(t, "a", "2")
		close(slow)
		<-answered
		b.want("2", true)
	})
}

// Of two loads at the same time, the first one to be answered has the newer state, and is not kept
// because another change was reported. What the other one returns is not kept either. docs/model found it.
func TestNoOlderStateAfterANewerOneThatWasNotKept(t *testing.T) {
	for name, newer := range map[string]func(b *bench){
		"a change": func(b *bench) { b.change(b.t, "a", "3") },
		"an end":   func(b *bench) { _ = b.Store.Delete(b.t.Context(), "a") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				event := b.change(t, "a", "2")
				slow, answered := make(chan struct{}), make(chan struct{})
				b.after = func(string) { b.after = nil; <-slow }
				go func() {
					defer close(answered)
					if r, err := b.near.Load(t.Context(), "a"); err != nil || string(r.Data) != "2" {
						t.Errorf("the slow one: %q, %v", r.Data, err)
					}
				}()
				synctest.Wait()
				b.before = func(string) { b.before = nil; newer(b); b.report(event) }
				first, _ := b.near.Load(t.Context(), "a")
				close(slow)
				<-answered
				b.want(string(first.Data), true)
			})
		})
	}
}

// The memory is limited, and records that were read are evicted last.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	n := open(t, quiet{mem}, nearcache.Config{MaxBytes: 1 << 20, MaxStale: time.Hour}) // a watch begins by dropping all
	create := func(id string, size int) {
		if _, err := mem.Create(ctx, store.Record{ID: id, Data: make([]byte, size), Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Load(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	create("in use", 500)
	for i := range 5000 {
		create(fmt.Sprint(i), 500)
		before := n.Stats().Hits
		if _, err := n.Load(ctx, "in use"); err != nil || n.Stats().Hits != before+1 {
			t.Fatalf("what is in use was evicted (%v)", err)
		}
	}
	if s := n.Stats(); s.Bytes > 1<<20 || s.Entries < 1000 || s.Evicted == 0 {
		t.Errorf("%+v", s)
	}
	create("huge", 1<<20)
	if s := n.Stats(); s.Bytes > 1<<20 {
		t.Errorf("with a record that has no room: %+v", s)
	}
}

// A watcher of the cache gets an event after the cache has dropped the record, so the next
// load returns the new version.
func TestWatchThroughTheCache(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.want("1", true)
		w, ok := store.As[store.Watcher](b.near)
		if !ok {
			t.Fatal("no Watcher")
		}
		var seen []string
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- w.Watch(ctx, func(e store.Event) {
				if e.ID != "" {
					r, err := b.near.Load(ctx, e.ID)
					seen = append(seen, fmt.Sprint(string(r.Data), err))
				}
			})
		}()
		synctest.Wait()
		b.report(b.change(t, "a", "2"))
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) || len(seen) != 1 || seen[0] != "2<nil>" {
			t.Errorf("saw %q, %v", seen, err)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	for name, do := range map[string]func() (*nearcache.Cache, error){
		"no store": func() (*nearcache.Cache, error) { return nearcache.New(nil, nearcache.Config{}) },
		"bytes":    func() (*nearcache.Cache, error) { return nearcache.New(mem, nearcache.Config{MaxBytes: -1}) },
		"stale":    func() (*nearcache.Cache, error) { return nearcache.New(mem, nearcache.Config{MaxStale: -1}) },
	} {
		if n, err := do(); n != nil || err == nil {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}
