package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// What Load returns is a copy, which is one allocation for the data and one for the owner.
// Not parallel: testing.AllocsPerRun counts for the whole process.
func TestLoadAllocatesItsCopyOnly(t *testing.T) {
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx := context.Background()
	for owner, want := range map[string]float64{"": 1, "user:42 of a long name that is not kept on any stack": 2} {
		if _, err := s.Create(ctx, store.Record{ID: "a" + owner, Owner: owner, Data: []byte(`{"some":"data"}`), Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(1000, func() {
			_, _ = s.Load(ctx, "a"+owner)
			_, _ = s.Load(ctx, "none")
		})
		if owner != "" {
			allocs-- // the id
		}
		if allocs != want {
			t.Errorf("Load of a record of %q allocates %v times, want %v", owner, allocs, want)
		}
	}
}

// Not parallel: testing.AllocsPerRun counts for the whole process.
func TestLoadSinceDoesNotAllocate(t *testing.T) {
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx := context.Background()
	v, err := s.Create(ctx, store.Record{ID: "a", Data: make([]byte, 1000), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(1000, func() {
		if r, err := s.LoadSince(ctx, "a", v); err != nil || r.Data != nil {
			t.Errorf("LoadSince: %d bytes, %v", len(r.Data), err)
		}
	})
	if allocs != 0 {
		t.Errorf("LoadSince allocates %v times", allocs)
	}
}

func TestExpiredUntilSwept(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	f.create("a")
	f.clock.advance(time.Hour - 2*time.Millisecond)
	if err := f.load("a"); err != nil {
		t.Errorf("Load a millisecond before the time: %v", err)
	}
	wantErr(t, "Load at the time", f.load("a"), store.ErrExpired)
	if _, err := f.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := f.load("a"); err != store.ErrNotFound {
		t.Errorf("Load after Sweep: %v, want plain ErrNotFound", err)
	}
}

// Expiries that nanoseconds since 1970 cannot express count as never, or as long expired.
func TestExtremeExpiries(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	ctx := context.Background()
	for year, live := range map[int]bool{9999: true, 2263: true, 2262: true, 1969: false, 1600: false, -5000: false} {
		id := fmt.Sprint(year)
		expires := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)
		if _, err := f.Create(ctx, store.Record{ID: id, Expires: expires}); err != nil {
			t.Fatal(err)
		}
		if r, err := f.Load(ctx, id); (err == nil) != live || live && !r.Expires.Equal(expires) {
			t.Errorf("a session that expires in the year %d: %v, %v", year, r.Expires, err)
		}
	}
	n, err := f.Sweep(ctx)
	if n != 3 || err != nil {
		t.Errorf("Sweep removed %d, %v, want 3", n, err)
	}
}

// Versions continue when the tables of an emptied store are dropped.
func TestVersionsSurviveEmptying(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{MaxSessions: 1000})
	seen := map[string]map[store.Version]bool{}
	for range 3 {
		for i := range 500 {
			id := fmt.Sprint(i)
			v := f.create(id)
			if seen[id] == nil {
				seen[id] = map[store.Version]bool{}
			}
			if seen[id][v] {
				t.Fatalf("version %d of %s came twice", v, id)
			}
			seen[id][v] = true
		}
		for i := range 500 {
			if err := f.Delete(context.Background(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		f.holds()
	}
}

// Data is returned as it was written, without room to which two callers could append. The
// store keeps the array of a large document, unless that is much larger than the document.
func TestDataHasNoSpareRoom(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	ctx := context.Background()
	for _, size := range []int{2, 100_000} {
		for _, spare := range []int{0, 1, 100, 100_000} {
			id := fmt.Sprint(size, spare)
			data := append(make([]byte, 0, size+spare), bytes.Repeat([]byte("{}"), size/2)...)
			if _, err := f.Create(ctx, store.Record{ID: id, Data: data}); err != nil {
				t.Fatal(err)
			}
			r, err := f.Load(ctx, id)
			if err != nil || !bytes.Equal(r.Data, data) || cap(r.Data) > size+14 {
				t.Errorf("Load: %d bytes with room for %d, %v", len(r.Data), cap(r.Data), err)
			}
			kept := &r.Data[0] == &data[0]
			if want := size > 2 && spare <= 100; kept != want {
				t.Errorf("%d bytes with room for %d more: the array is kept: %v, want %v", size, spare, kept, want)
			}
		}
	}
}

func TestCreateWithoutAnID(t *testing.T) {
	t.Parallel()
	f := setup(t, memstore.Config{})
	if _, err := f.tryCreate(""); err == nil {
		t.Error("Create without an id: no error")
	}
	wantErr(t, "Load without an id", f.load(""), store.ErrNotFound)
}

// Several goroutines may call Close, at any time.
func TestCloseWhileInUse(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := memstore.New(memstore.Config{MaxSessions: 50})
		ctx := context.Background()
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					r := store.Record{ID: fmt.Sprint(w, i), Expires: time.Now().Add(time.Hour)}
					if _, err := s.Create(ctx, r); err != nil {
						wantErr(t, "Create", err, store.ErrClosed)
						return
					}
					for _, err := range s.List(ctx, "") {
						if err != nil {
							wantErr(t, "List", err, store.ErrClosed)
						}
					}
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				for s.Stats().Sessions < 10 && s.Ping(ctx) == nil {
				}
				s.Close()
			})
		}
		wg.Wait()
		if got := s.Stats(); got.Sessions != 0 || got.Bytes != 0 {
			t.Errorf("%+v after Close", got)
		}
	}
}

// An expiry is a time of day, also where it was made by adding to time.Now, whose
// monotonic part other processes and other nodes do not have.
func TestExpiryHasNoMonotonicPart(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Config{})
	defer s.Close()
	ctx := context.Background()
	r := store.Record{ID: "a", Expires: time.Now().Add(time.Hour)}
	check := func(after string) {
		t.Helper()
		got, err := s.Load(ctx, "a")
		if err != nil || got.Expires != r.Expires.Round(0) {
			t.Errorf("Load after %s: expiry %v, %v, want %v", after, got.Expires, err, r.Expires.Round(0))
		}
	}
	var err error
	if r.Version, err = s.Create(ctx, r); err != nil {
		t.Fatal(err)
	}
	check("Create")
	r.Expires = time.Now().Add(2 * time.Hour)
	if _, err := s.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	check("Update")
	r.Expires = time.Now().Add(3 * time.Hour)
	if err := s.Touch(ctx, "a", r.Expires); err != nil {
		t.Fatal(err)
	}
	check("Touch")
}
