package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// A session of the size that other libraries' sessions have: an id of 43 bytes, 146 bytes of JSON.
const benchSessions = 100_000

var benchData = fmt.Appendf(nil, `{"user":%0137d}`, 1)

func benchID(i int) string { return fmt.Sprintf("%043d", i) }

func benchStore(b *testing.B, c memstore.Config) (*memstore.Store, []store.Record) {
	b.Helper()
	s := memstore.New(c)
	b.Cleanup(func() { s.Close() })
	records := make([]store.Record, benchSessions)
	for i := range records {
		r := store.Record{ID: benchID(i), Owner: "user:42", Data: benchData, Expires: time.Now().Add(time.Hour)}
		r.Version, _ = s.Create(context.Background(), r)
		records[i] = r
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s, records
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 1000, benchSessions} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, records := benchStore(b, memstore.Config{})
			ctx := context.Background()
			for i := 0; b.Loop(); i++ {
				if _, err := s.Load(ctx, records[i%n].ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoadParallel(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	loadParallel(b, s, records)
}

func loadParallel(b *testing.B, s *memstore.Store, records []store.Record) {
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for i := rand.IntN(len(records)); pb.Next(); i++ {
			if _, err := s.Load(ctx, records[i%len(records)].ID); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Loads while expired sessions are swept without a pause.
func BenchmarkLoadDuringSweep(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var swept int
	go func() {
		defer close(done)
		over := time.Now().Add(-time.Hour)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = s.Create(ctx, store.Record{ID: "over" + benchID(i), Data: benchData, Expires: over})
			if i%10_000 == 0 {
				n, _ := s.Sweep(ctx)
				swept += n
			}
		}
	}()
	loadParallel(b, s, records)
	b.StopTimer()
	cancel()
	<-done
	b.ReportMetric(float64(swept)/b.Elapsed().Seconds(), "swept/s")
}

func BenchmarkCreate(b *testing.B) {
	s := memstore.New(memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit})
	defer s.Close()
	createParallel(b, s)
}

// Every Create has to evict another session.
func BenchmarkCreateAtLimit(b *testing.B) {
	for _, limit := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(limit), func(b *testing.B) {
			s := memstore.New(memstore.Config{MaxSessions: limit})
			defer s.Close()
			for i := range limit {
				_, _ = s.Create(context.Background(), store.Record{ID: "old" + benchID(i), Data: benchData, Expires: time.Now().Add(time.Hour)})
			}
			createParallel(b, s)
		})
	}
}

func createParallel(b *testing.B, s *memstore.Store) {
	ids := make([]string, b.N)
	for i := range ids {
		ids[i] = benchID(i)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		expires := time.Now().Add(time.Hour)
		for pb.Next() {
			id := ids[next.Add(1)-1]
			if _, err := s.Create(ctx, store.Record{ID: id, Owner: "user:42", Data: benchData, Expires: expires}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	ctx := context.Background()
	for i := 0; b.Loop(); i++ {
		r := &records[i%len(records)]
		v, err := s.Update(ctx, *r)
		if err != nil {
			b.Fatal(err)
		}
		r.Version = v
	}
}

func BenchmarkUpdateParallel(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for i := rand.IntN(len(records)); pb.Next(); i++ {
			r, err := s.Load(ctx, records[i%len(records)].ID)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := s.Update(ctx, r); err != nil && !errors.Is(err, store.ErrConflict) {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	ctx := context.Background()
	expires := time.Now().Add(time.Hour)
	for i := 0; b.Loop(); i++ {
		expires = expires.Add(time.Microsecond)
		if err := s.Touch(ctx, records[i%len(records)].ID, expires); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTouchParallel(b *testing.B) {
	s, records := benchStore(b, memstore.Config{})
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		expires := time.Now().Add(time.Hour)
		for i := rand.IntN(len(records)); pb.Next(); i++ {
			expires = expires.Add(time.Microsecond)
			if err := s.Touch(ctx, records[i%len(records)].ID, expires); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkListOwner(b *testing.B) {
	s, _ := benchStore(b, memstore.Config{})
	ctx := context.Background()
	for i := range 10 {
		_, _ = s.Create(ctx, store.Record{ID: fmt.Sprint("mine", i), Owner: "me", Data: benchData})
	}
	for b.Loop() {
		n := 0
		for range s.List(ctx, "me") {
			n++
		}
		if n != 10 {
			b.Fatal(n)
		}
	}
}

// Restoring benchSessions from a snapshot.
func BenchmarkOpen(b *testing.B) {
	file := filepath.Join(b.TempDir(), "sessions")
	s, err := memstore.Open(file, memstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range benchSessions {
		owner := fmt.Sprint("user:", i)
		_, _ = s.Create(context.Background(), store.Record{ID: benchID(i), Owner: owner, Data: benchData, Expires: time.Now().Add(time.Hour)})
	}
	if err := s.WriteSnapshot(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		r, err := memstore.Open(file, memstore.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := r.Stats().Sessions; n != benchSessions {
			b.Fatal(n)
		}
		_ = r.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*benchSessions/b.Elapsed().Seconds(), "sessions/s")
}
