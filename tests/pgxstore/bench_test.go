package pgxstore_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
)

// BenchmarkWrites has 16 callers at the same time, each with a session of its own, on a disk
// that is synced. With the trigger, saves wait for each other's sync, unless they are
// configured not to wait; touches do not. The calls on one store are batched; those on a
// store for each caller, as if each were another node, are not.
func BenchmarkWrites(b *testing.B) {
	server := servers.StartPostgres(b, servers.PostgresOptions{Durable: true})
	for _, what := range []string{"save", "save apart", "save apart, lazily", "touch"} {
		for _, trigger := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/trigger=%v", what, trigger), func(b *testing.B) {
				more := "&pool_max_conns=16"
				if what == "save apart, lazily" {
					more += "&synchronous_commit=off"
				}
				pool := newPool(b, server.NewDatabase(b), more)
				stores := make(chan *pgxstore.Store, 8*runtime.GOMAXPROCS(0))
				for s := newStore(b, pool, pgxstore.Config{Create: true}); len(stores) < cap(stores); {
					stores <- s
					if what != "save" {
						s = newStore(b, pool, pgxstore.Config{})
					}
				}
				if !trigger {
					exec(b, pool, "ALTER TABLE nest_sessions DISABLE TRIGGER nest_watch")
				}
				b.SetParallelism(8) // with two cores: 16
				b.RunParallel(func(pb *testing.PB) {
					ctx, s := context.Background(), <-stores
					r := record(fmt.Sprint(tables.Add(1)))
					v, err := s.Create(ctx, r)
					if err != nil {
						b.Error(err)
						return
					}
					r.Version = v
					for i := 0; pb.Next(); i++ {
						if what == "touch" {
							err = s.Touch(ctx, r.ID, r.Expires.Add(time.Duration(i)*time.Millisecond))
						} else {
							r.Data = fmt.Appendf(nil, `{"cookie":{},"n":%d}`, i)
							r.Version, err = s.Update(ctx, r)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
