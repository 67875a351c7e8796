package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// benchmarked are a store and a record of a kilobyte, as 32 callers use them.
func benchmarked(b *testing.B, c redisstore.Config) (*redisstore.Store, store.Record) {
	c.Client = connect(b, single(servers.SharedRedis(b)))
	c.Prefix = newPrefix()
	s := newStore(b, c)
	b.SetParallelism(16)
	b.ReportAllocs()
	data := append([]byte(`{"owner":"user:42","x":"`), bytes.Repeat([]byte("x"), 1000)...)
	return s, store.Record{ID: "id", Owner: "user:42", Data: append(data, `"}`...), Expires: time.Now().Add(time.Hour)}
}

func BenchmarkLoad(b *testing.B) {
	for name, c := range map[string]redisstore.Config{"Native": {}, "Express": {Express: true, OwnerOf: ownerOf}} {
		b.Run(name, func(b *testing.B) {
			s, r := benchmarked(b, c)
			if _, err := s.Create(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Load(ctx, "id"); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for name, c := range map[string]redisstore.Config{"Native": {}, "Express": {Express: true, OwnerOf: ownerOf}} {
		b.Run(name, func(b *testing.B) {
			s, r := benchmarked(b, c)
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			b.RunParallel(func(pb *testing.PB) {
				r := r
				r.ID = fmt.Sprintf("%p", pb)
				v, err := s.Create(ctx, r)
				for ; err == nil && pb.Next(); v, err = s.Update(ctx, r) {
					r.Version = v
				}
				if err != nil {
					b.Error(err)
				}
			})
		})
	}
}
