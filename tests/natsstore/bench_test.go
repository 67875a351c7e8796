package natsstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// BenchmarkStores compares the five methods on NATS, with one server and with three, and on Redis:
// one caller, and many at once.
func BenchmarkStores(b *testing.B) {
	open := map[string]func(b *testing.B) store.Store{
		"redis, appendfsync everysec": func(b *testing.B) store.Store {
			server := servers.StartRedis(b, servers.RedisOptions{AppendOnly: "everysec"})
			client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(client.Close)
			s, err := redisstore.New(context.Background(), redisstore.Config{Client: client, TrimInterval: -1})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return s
		},
		"nats, one server, in process": func(b *testing.B) store.Store {
			return newStore(b, natsstore.Config{Conn: connect(b, startOne(b))})
		},
		"nats, one server": func(b *testing.B) store.Store {
			return newStore(b, natsstore.Config{Conn: dial(b, natsserver.Start(b, 1, servers.NATSOptions{})...)})
		},
		"nats, three servers": func(b *testing.B) store.Store {
			return newStore(b, natsstore.Config{Conn: dial(b, natsserver.Start(b, 3, servers.NATSOptions{})...)})
		},
		"nats, three servers, synced": func(b *testing.B) store.Store {
			return newStore(b, natsstore.Config{Conn: dial(b, natsserver.Start(b, 3, servers.NATSOptions{SyncAlways: true})...)})
		},
	}
	for name, open := range open {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			var next atomic.Int64
			record := func() store.Record {
				return store.Record{ID: fmt.Sprintf("session-%035d", next.Add(1)), Owner: fmt.Sprint("user:", next.Load()), Data: make([]byte, 267), Expires: time.Now().Add(time.Hour)}
			}
			create := func(b *testing.B) store.Record {
				r := record()
				var err error
				if r.Version, err = s.Create(b.Context(), r); err != nil {
					b.Error(err)
				}
				return r
			}
			lister, _ := store.As[store.Lister](s)
			for _, op := range []struct {
				name string
				call func(b *testing.B, r *store.Record) error
			}{
				{"create", func(b *testing.B, _ *store.Record) error { create(b); return nil }},
				{"get", func(b *testing.B, r *store.Record) error { _, err := s.Load(b.Context(), r.ID); return err }},
				{"update", func(b *testing.B, r *store.Record) (err error) {
					r.Version, err = s.Update(b.Context(), *r)
					return err
				}},
				{"touch", func(b *testing.B, r *store.Record) error {
					return s.Touch(b.Context(), r.ID, time.Now().Add(time.Hour))
				}},
				{"list of one owner", func(b *testing.B, r *store.Record) error {
					for _, err := range lister.List(b.Context(), r.Owner) {
						return err
					}
					return nil
				}},
			} {
				b.Run(op.name+"/one", func(b *testing.B) {
					r := create(b)
					for b.Loop() {
						if err := op.call(b, &r); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.Run(op.name+"/32", func(b *testing.B) {
					b.SetParallelism(16)
					b.RunParallel(func(pb *testing.PB) {
						r := create(b)
						for pb.Next() {
							if err := op.call(b, &r); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
			}
		})
	}
}
