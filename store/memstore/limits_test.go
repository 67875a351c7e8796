package memstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

const overhead = memstore.RecordOverhead

func TestEvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 4})
	f.create("a")
	b := f.create("b")
	f.create("c")
	f.create("d")
	if err := f.load("a"); err != nil {
		t.Fatal(err)
	}
	if err := f.update("b", b); err != nil {
		t.Fatal(err)
	}
	f.touch("c", time.Hour)
	f.create("e")
	f.holds("a", "b", "c", "e")
	f.create("f")
	f.holds("b", "c", "e", "f")
	f.create("g")
	f.create("h")
	f.holds("e", "f", "g", "h")
	if got := f.Stats().Evicted; got != 4 {
		t.Errorf("Stats.Evicted is %d, want 4", got)
	}
	wantErr(t, "Load of an evicted session", f.load("a"), store.ErrNotFound)
}

// The order of use holds across shards, too.
func TestEvictsTheLeastRecentlyUsedOfManyShards(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	f := setup(t, memstore.Config{MaxSessions: limit})
	var order []string
	for i := range limit {
		order = append(order, fmt.Sprint(i))
		f.create(order[i])
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(limit, func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, id := range order {
		if err := f.load(id); err != nil {
			t.Fatal(err)
		}
	}
	// Some of the sessions that would be evicted next are removed, and others are added.
	var next []string
	for i, id := range order[:400] {
		switch i % 4 {
		case 0:
			_ = f.Delete(context.Background(), id)
		case 1:
			f.touch(id, 0)
		default:
			next = append(next, id)
		}
	}
	if n, err := f.Sweep(context.Background()); n != 100 || err != nil {
		t.Fatalf("Sweep removed %d, %v, want 100", n, err)
	}
	for i := range 200 {
		f.create(fmt.Sprint("more", i))
	}
	for i, id := range next {
		f.create(fmt.Sprint("new", i))
		wantErr(t, fmt.Sprintf("Load of the session that was %d. to go", i+1), f.load(id), store.ErrNotFound)
	}
	if got := f.Stats(); got.Sessions != limit || got.Evicted != 200 {
		t.Errorf("%+v, want %d sessions and 200 evicted", got, limit)
	}
}

func TestExpiredGoFirst(t *testing.T) {
	t.Parallel()
	for _, atLimit := range []memstore.AtLimit{memstore.EvictLeastRecentlyUsed, memstore.Refuse} {
		f := setup(t, memstore.Config{MaxSessions: 3, AtLimit: atLimit})
		f.create("a")
		f.create("b")
		f.create("c")
		f.touch("b", time.Minute)
		f.clock.advance(time.Minute)
		f.create("d")
		f.holds("a", "c", "d")
		if got := f.Stats(); got.Evicted != 0 || got.Expired != 1 || got.Refused != 0 {
			t.Errorf("%+v, want one expired, none evicted or refused", got)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 2, AtLimit: memstore.Refuse})
	f.create("a")
	f.create("b")
	_, err := f.tryCreate("c")
	wantErr(t, "Create beyond the limit", err, store.ErrFull)
	f.holds("a", "b")
	if err := f.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	f.create("c")
	f.holds("b", "c")
	if got := f.Stats().Refused; got != 1 {
		t.Errorf("Stats.Refused is %d, want 1", got)
	}
}

// The store checks whether a session exists before it evicts another for it.
func TestCreateOfAnExistingSessionEvictsNobody(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 2})
	f.create("a")
	f.create("b")
	_, err := f.tryCreate("b")
	wantErr(t, "Create of an existing session", err, store.ErrExists)
	wantErr(t, "Update with another version", f.update("b", 999, make([]byte, 1000)...), store.ErrConflict)
	f.holds("a", "b")
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxBytes: 3 * (overhead + 101)})
	f.create("a", make([]byte, 100)...)
	f.create("b", make([]byte, 100)...)
	v := f.create("c", make([]byte, 100)...)
	f.holds("a", "b", "c")
	f.create("d", make([]byte, 100)...)
	f.holds("b", "c", "d")
	// A session that grows ends others, as many as it takes, and never itself.
	if err := f.update("c", v, make([]byte, 101)...); err != nil {
		t.Fatal(err)
	}
	f.holds("c", "d")
	f.create("e", make([]byte, 99)...)
	f.holds("c", "d", "e")
	f.create("f", make([]byte, 2*100+overhead)...)
	f.holds("e", "f")
}

// The session that grows is the least recently used one.
func TestGrowingSessionIsNotEvictedForItself(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxBytes: 2 * (overhead + 11)})
	a := f.create("a", make([]byte, 10)...)
	f.create("b", make([]byte, 10)...)
	if err := f.update("a", a, make([]byte, 11)...); err != nil {
		t.Fatal(err)
	}
	f.holds("a")
}

// And the one that goes for it is the least recently used of all others, not of
// those that happen to share its shard.
func TestGrowingSessionEvictsTheLeastRecentlyUsedOther(t *testing.T) {
	t.Parallel()
	const sessions = 3000
	f := setup(t, memstore.Config{MaxBytes: sessions * (overhead + 4)})
	id := func(i int) string { return fmt.Sprintf("%04d", i) }
	first := f.create(id(0))
	for i := range sessions - 1 {
		f.create(id(i + 1))
	}
	if err := f.update(id(0), first, 'x'); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "Load of the least recently used other", f.load(id(1)), store.ErrNotFound)
	if got := f.Stats(); got.Sessions != sessions-1 || got.Evicted != 1 {
		t.Errorf("%+v, want one evicted", got)
	}
}

func TestSessionThatNeverFitsIsRefused(t *testing.T) {
	t.Parallel()
	for _, atLimit := range []memstore.AtLimit{memstore.EvictLeastRecentlyUsed, memstore.Refuse} {
		f := setup(t, memstore.Config{MaxBytes: 1000, AtLimit: atLimit})
		a := f.create("a")
		_, err := f.tryCreate("b", make([]byte, 1000)...)
		wantErr(t, "Create of a session larger than the store", err, store.ErrFull)
		wantErr(t, "Update to a size larger than the store", f.update("a", a, make([]byte, 1000)...), store.ErrFull)
		f.holds("a")
		if err := f.update("a", a, make([]byte, 1000-overhead-1)...); err != nil {
			t.Errorf("Update of the version that was kept, to a size that just fits: %v", err)
		}
	}
}

func TestRefusedUpdateLeavesTheSession(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxBytes: 2 * (overhead + 11), AtLimit: memstore.Refuse})
	a := f.create("a", make([]byte, 10)...)
	f.create("b", make([]byte, 10)...)
	wantErr(t, "Update that grows beyond the limit", f.update("a", a, make([]byte, 11)...), store.ErrFull)
	f.holds("a", "b")
	if err := f.update("a", a, make([]byte, 9)...); err != nil {
		t.Errorf("Update that shrinks: %v", err)
	}
	f.clock.advance(2 * time.Hour)
	f.create("c", make([]byte, 10)...)
	f.create("d", make([]byte, 10)...)
	f.holds("c", "d")
}

// The zero Config is bounded. The data is one slice, so that this takes no room.
func TestDefaultBytes(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	data := make([]byte, 8<<20)
	for i := range 80 {
		f.create(fmt.Sprint(i), data...)
	}
	if got := f.Stats(); got.Bytes > memstore.DefaultMaxBytes || got.Bytes < memstore.DefaultMaxBytes*9/10 {
		t.Errorf("%d bytes kept, want just below %d", got.Bytes, memstore.DefaultMaxBytes)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxBytes: memstore.NoLimit, MaxSessions: memstore.NoLimit})
	data := make([]byte, 8<<20)
	for i := range 80 {
		f.create(fmt.Sprint(i), data...)
	}
	if got := f.Stats(); got.Sessions != 80 || got.Bytes < 80*8<<20 {
		t.Errorf("%+v, want 80 sessions", got)
	}
}

// The counts are correct, whatever happened before.
func TestAccountingIsExact(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 150, MaxBytes: 100_000})
	rng := rand.New(rand.NewPCG(3, 4))
	ctx := context.Background()
	for range 20_000 {
		id := fmt.Sprint(rng.IntN(300))
		r, err := f.Load(ctx, id)
		switch op := rng.IntN(10); {
		case err != nil:
			f.create(id, make([]byte, rng.IntN(1000))...)
		case op == 0:
			_ = f.Delete(ctx, id)
		case op == 1:
			f.touch(id, time.Duration(rng.IntN(100))*time.Millisecond)
		case op == 2:
			_, _ = f.Sweep(ctx)
		default:
			r.Owner = fmt.Sprint("user:", rng.IntN(1000))
			r.Data = make([]byte, rng.IntN(1000))
			if _, err := f.Update(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	sessions, bytes := f.sum()
	if got := f.Stats(); got.Sessions != sessions || got.Bytes != bytes {
		t.Errorf("%+v, want %d sessions of %d bytes", got, sessions, bytes)
	}
	for _, id := range f.ids() {
		_ = f.Delete(ctx, id)
	}
	if got := f.Stats(); got.Sessions != 0 || got.Bytes != 0 {
		t.Errorf("%+v after all were deleted, want none", got)
	}
}

// sum counts the listed records.
func (f *fixture) sum() (sessions, bytes int64) {
	for r := range f.List(context.Background(), "") {
		sessions++
		bytes += int64(len(r.ID)+len(r.Owner)+len(r.Data)) + overhead
	}
	return sessions, bytes
}

// Concurrent writes never exceed the limits, are not refused too early, and the counts are
// correct at the end.
func TestLimitsHoldUnderConcurrency(t *testing.T) {
	t.Parallel()
	const limit, writers, each = 100, 8, 500
	for _, atLimit := range []memstore.AtLimit{memstore.EvictLeastRecentlyUsed, memstore.Refuse} {
		f := setup(t, memstore.Config{MaxSessions: limit, MaxBytes: 60_000, AtLimit: atLimit})
		expires := f.clock.now().Add(time.Hour)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				ctx := context.Background()
				for i := range each {
					r := store.Record{ID: fmt.Sprint(w, "-", i), Data: make([]byte, i%200), Expires: expires}
					var err error
					if r.Version, err = f.Create(ctx, r); err == nil {
						r.Data = make([]byte, (i+100)%200)
						_, _ = f.Update(ctx, r)
					}
					if got := f.Stats(); got.Sessions > limit || got.Bytes > 60_000 {
						t.Errorf("%+v is beyond the limits", got)
						return
					}
					if i%10 == 0 {
						_ = f.Delete(ctx, r.ID)
					}
				}
			})
		}
		wg.Wait()
		sessions, bytes := f.sum()
		if got := f.Stats(); got.Sessions != sessions || got.Bytes != bytes {
			t.Errorf("%+v, want %d sessions of %d bytes", got, sessions, bytes)
		}
	}
}

func TestRefusesNotTooEarly(t *testing.T) {
	t.Parallel()
	for range 50 {
		f := setup(t, memstore.Config{MaxSessions: 4, AtLimit: memstore.Refuse})
		expires := f.clock.now().Add(time.Hour)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_, _ = f.Create(context.Background(), store.Record{ID: fmt.Sprint(i), Expires: expires})
			})
		}
		wg.Wait()
		if got := f.Stats(); got.Sessions != 4 || got.Refused != 4 {
			t.Fatalf("%+v, want 4 sessions and 4 refused", got)
		}
	}
}

// A store that evicts never refuses a session that fits, also if writers in several shards
// compete for the room of the one session that it can hold.
func TestEvictingStoreRefusesNobody(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxBytes: 2 * (overhead + 100)})
	expires := f.clock.now().Add(time.Hour)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				r := store.Record{ID: fmt.Sprint(w, "-", i), Data: make([]byte, 50), Expires: expires}
				if _, err := f.Create(context.Background(), r); err != nil {
					t.Errorf("Create: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := f.Stats(); got.Sessions != 2 || got.Refused != 0 {
		t.Errorf("%+v, want 2 sessions and none refused", got)
	}
}

// A session that replaces an expired one needs no more room, and if it is too large the
// counts stay as they were.
func TestReplacingAnExpiredSession(t *testing.T) {
	t.Parallel()
	for _, atLimit := range []memstore.AtLimit{memstore.EvictLeastRecentlyUsed, memstore.Refuse} {
		f := setup(t, memstore.Config{MaxSessions: 2, MaxBytes: 2 * (overhead + 11), AtLimit: atLimit})
		f.create("a", make([]byte, 10)...)
		f.create("b", make([]byte, 10)...)
		f.touch("a", 0)
		f.create("a", make([]byte, 10)...)
		f.holds("a", "b")
		if got := f.Stats(); got.Expired != 1 || got.Evicted != 0 {
			t.Errorf("%+v, want one expired and none evicted", got)
		}
		f.touch("a", 0)
		_, err := f.tryCreate("a", make([]byte, 1000)...)
		wantErr(t, "Create of a session larger than the store", err, store.ErrFull)
		f.holds("b")
		_, err = f.tryCreate("a", make([]byte, 11)...)
		if atLimit == memstore.Refuse {
			wantErr(t, "Create of a session that is larger than the expired one", err, store.ErrFull)
			f.holds("b")
		} else if err != nil {
			t.Errorf("Create: %v", err)
		} else {
			f.holds("a")
		}
		if _, err := f.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		sessions, bytes := f.sum()
		if got := f.Stats(); got.Sessions != sessions || got.Bytes != bytes {
			t.Errorf("%+v, want %d sessions of %d bytes", got, sessions, bytes)
		}
	}
}
