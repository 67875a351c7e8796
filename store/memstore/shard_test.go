package memstore

import (
	"context"
	"fmt"
	"runtime"
	"testing"

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
	for max, want := range map[int64]int{1: 1, 4095: 1, 4096: 2, 100_000: 32, 1_000_000: 256, 5_000_000: 1024, 1 << 62: 1024} {
		if got := shardCount(max); got != want {
			t.Errorf("%d shards for %d sessions, want %d", got, max, want)
		}
	}
}

// Maps do not shrink: those of a shard that has emptied are dropped.
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
		if dropped := sh.records == nil && sh.slots.items == nil && sh.owners == nil; dropped != (n > keepTables) {
			t.Errorf("tables of %d sessions that have gone are dropped: %v", n, dropped)
		}
	}
}

// Room that is taken by a record which is being put in, under another shard's
// lock, makes nobody give up: he waits for that record, and evicts it.
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
	s.limits.reserve(1, recordSize(r))
	result := make(chan error, 1)
	go func() {
		_, err := s.Create(ctx, store.Record{ID: other})
		result <- err
	}()
	for range 10_000 {
		runtime.Gosched() // time to give up
	}
	sh.insert(&entry{rec: r, expires: never})
	sh.publish()
	sh.mu.Unlock()
	if err := <-result; err != nil {
		t.Errorf("Create: %v", err)
	}
}
