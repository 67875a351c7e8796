package memstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nestsession/session/internal/arena"
	"github.com/nestsession/session/store"
)

// held is how many bytes of the system's memory the store has.
func held(s *Store) int64 { return int64(s.memory.InUse()) * arena.Size }

// After a long history of records of all sizes, the log has little room that nothing uses.
func TestChurnWastesLittle(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxSessions: 4000})
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 9))
	size := func() int { return rng.IntN(50 << rng.IntN(6)) }
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for range 60_000 {
		id := fmt.Sprint(rng.IntN(3000))
		data := noise[:size()]
		if r, err := s.Load(t.Context(), id); err != nil {
			_, _ = s.Create(t.Context(), store.Record{ID: id, Data: data})
		} else if rng.IntN(3) == 0 {
			_ = s.Delete(t.Context(), id)
		} else {
			r.Data = data
			_, _ = s.Update(t.Context(), r)
		}
	}
	live := s.Stats().Bytes - s.Stats().Sessions*RecordOverhead
	if most := live*13/10 + 4*arena.Size; held(s) > most {
		t.Errorf("%d bytes are held for %d bytes, want %d at most", held(s), live, most)
	}
}

// After a peak the memory goes back, although some of the sessions stay, and all of it on
// Close.
func TestMemoryGoesBackAfterAPeak(t *testing.T) {
	t.Parallel()
	const peak, stay = 40_000, 100
	s := New(Config{MaxSessions: 4000 * 2}) // few shards
	s.limits.maxSessions = peak
	for i := range peak {
		if _, err := s.Create(t.Context(), store.Record{ID: fmt.Sprint(i), Owner: fmt.Sprint("user:", i), Data: bytes.Repeat([]byte("abcd"), 50+i%20)}); err != nil {
			t.Fatal(err)
		}
	}
	most := held(s)
	for i := range peak {
		if i%(peak/stay) != 0 {
			if err := s.Delete(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if now, want := held(s), int64(len(s.shards)*8*arena.Size); now > want || now >= most {
		t.Errorf("%d bytes are held for %d sessions, %d at the peak; want %d at most", now, stay, most, want)
	}
	for i := range stay {
		id := fmt.Sprint(i * (peak / stay))
		if r, err := s.Load(t.Context(), id); err != nil || r.Owner != "user:"+id {
			t.Fatalf("Load of a session that stayed: %v, %v", r, err)
		}
		n := 0
		for r, err := range s.List(t.Context(), "user:"+id) {
			if err != nil || r.ID != id {
				t.Fatal(r, err)
			}
			n++
		}
		if n != 1 {
			t.Fatalf("%d sessions of an owner, want 1", n)
		}
	}
	s.Close()
	if held(s) != 0 {
		t.Errorf("%d bytes are held after Close", held(s))
	}
}

// What Load returned stays as it was when the session changes, ends, and others take its place.
func TestLoadedRecordsAreCopies(t *testing.T) {
	t.Parallel()
	s := New(Config{MaxSessions: 100})
	ctx := t.Context()
	want := bytes.Repeat([]byte("0123456789"), 30)
	if _, err := s.Create(ctx, store.Record{ID: "a", Owner: "user:1", Data: want}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		_ = s.Delete(ctx, fmt.Sprint(i-50))
		_ = s.Delete(ctx, "a")
		_, _ = s.Create(ctx, store.Record{ID: fmt.Sprint(i), Owner: "user:9", Data: bytes.Repeat([]byte{byte(i)}, 300)})
	}
	s.Close()
	if r.Owner != "user:1" || !bytes.Equal(r.Data, want) {
		t.Errorf("became %v", r)
	}
}
