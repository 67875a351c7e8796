package nearcache_test

import (
	"context"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// BenchmarkLoad compares a hit with a read of the store in memory.
func BenchmarkLoad(b *testing.B) {
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	ctx := context.Background()
	_, err := mem.Create(ctx, store.Record{ID: "a", Data: make([]byte, 250), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]store.Store{"hit": open(b, mem, nearcache.Config{MaxStale: time.Hour}), "memstore": mem} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Load(ctx, "a"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
