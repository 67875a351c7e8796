package memstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// The default number of sessions, without filling the store.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	defer s.Close()
	if s.limits.maxSessions != DefaultMaxSessions || s.limits.maxBytes != DefaultMaxBytes || !s.limits.evicts {
		t.Errorf("the zero Config gives %+v", &s.limits)
	}
	for max, want := range map[int64]int{1: 1, 4095: 1, 4096: 2, 100_000: 32, 1_000_000: 256, 5_000_000: 256, 1 << 62: 256} {
		if got := shardCount(max); got != want {
			t.Errorf("%d shards for %d sessions, want %d", got, max, want)
		}
	}
}

// The memory of a shard that has emptied goes back, unless it is little.
func TestEmptiedTablesAreDropped(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxSessions: 1000})
	defer s.Close()
	ctx := context.Background()
	for _, n := range []int{keepTables, keepTables + 1} {
		for i := range n {
			if _, err := s.Create(ctx, store.Record{ID: fmt.Sprint(i), Owner: "user:1"}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			if err := s.Delete(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		sh := &s.shards[0]
		if dropped := sh.ids.pages == nil && sh.owners.pages == nil && sh.slots.pages == nil && sh.log.segs == nil; dropped != (n > keepTables) {
			t.Errorf("tables of %d sessions that have gone are dropped: %v", n, dropped)
		}
	}
}

// If a record that is being inserted in another shard has taken the room, a write does not
// fail: it tries again, and evicts that record.
func TestRoomTakenByARecordOnItsWay(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxBytes: RecordOverhead + 10})
	defer s.Close()
	ctx := context.Background()
	r := store.Record{ID: "on its way"}
	sh := s.shard(r.ID)
	other := "a"
	for s.shard(other) == sh {
		other += "a"
	}
	sh.mu.Lock()
	var buf scratch
	e := s.encode(r, &buf)
	s.limits.reserve(1, e.size())
	result := make(chan error, 1)
	go func() {
		_, err := s.Create(ctx, store.Record{ID: other})
		result <- err
	}()
	for range 10_000 {
		runtime.Gosched() // time to give up
	}
	ending, cancel := context.WithCancel(ctx)
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := s.Create(ending, store.Record{ID: other}); !errors.Is(err, context.Canceled) {
		t.Errorf("Create whose context ends while it tries: %v", err)
	}
	sh.insert(&e, 1, 0)
	sh.mu.Unlock()
	if err := <-result; err != nil {
		t.Errorf("Create: %v", err)
	}
}

// A record for which room is made is not evicted, even if it has become the least recently
// used one meanwhile. If there is no other, the search ends.
func TestRoomIsNotMadeByTheRecordItself(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	defer s.Close()
	ctx := context.Background()
	growing := s.key("growing")
	for _, id := range []string{"growing", "other"} {
		if _, err := s.Create(ctx, store.Record{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{true, false} {
		if got := s.removeOne(&growing, s.clock.now(), never); got != want {
			t.Errorf("another one was removed: %v, want %v", got, want)
		}
		if _, err := s.Load(ctx, "growing"); err != nil {
			t.Errorf("Load of the session for which room was made: %v", err)
		}
	}
}

// The same where both share a shard.
func TestRoomIsNotMadeByTheRecordItselfInOneShard(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxSessions: 10})
	defer s.Close()
	ctx := context.Background()
	for _, id := range []string{"growing", "other"} {
		if _, err := s.Create(ctx, store.Record{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	growing := s.key("growing")
	if !s.removeOne(&growing, s.clock.now(), never) {
		t.Error("none was removed")
	}
	if _, err := s.Load(ctx, "growing"); err != nil {
		t.Errorf("Load of the session for which room was made: %v", err)
	}
}

// The store keeps nothing of a watcher that has stopped.
func TestWatchersAreForgotten(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	defer s.Close()
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		_ = s.Watch(ctx, func(store.Event) { cancel() })
	}
	if s.feed.Watched() {
		t.Error("a watcher is kept")
	}
}

// A store in which sessions come and go does not grow.
func TestSlotsAreUsedAgain(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxSessions: 10})
	defer s.Close()
	ctx := context.Background()
	for i := range 1000 {
		if _, err := s.Create(ctx, store.Record{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.shards[0].slots.n; n > 11 {
		t.Errorf("%d slots for 10 sessions", n)
	}
}
