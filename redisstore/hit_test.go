package redisstore

import (
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// BenchmarkHit compares what a read from memory takes with nearcache and with rueidis's
// own client-side cache, which keeps the server's answer, so that it has to be taken
// apart at each read. See docs/adr.
func BenchmarkHit(b *testing.B) {
	server := startRedis(b)
	o := rueidis.ClientOption{InitAddress: []string{server.Addr()}}
	s, err := Open(b.Context(), o, Config{Prefix: "hit:"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	near, err := nearcache.New(s, nearcache.Config{MaxStale: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer near.Close()
	mem := memstore.New(memstore.Config{})
	defer mem.Close()
	r := store.Record{ID: "id", Data: make([]byte, 250), Expires: time.Now().Add(time.Hour)}
	for _, one := range []store.Store{s, mem} {
		_ = one.Delete(b.Context(), r.ID)
		if _, err := one.Create(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	for name, one := range map[string]store.Store{"memstore": mem, "nearcache": near} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := one.Load(b.Context(), "id"); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("rueidis", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				answer := s.client.DoCache(b.Context(), s.b.Get().Key("hit:id").Cache(), time.Hour)
				if _, err := s.layout.record("id", []rueidis.RedisResult{answer}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
