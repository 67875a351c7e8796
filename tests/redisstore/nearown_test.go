package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// statOf is how often the server has been asked for a value.
func statOf(t testing.TB, server *servers.Redis, command string) string {
	t.Helper()
	info, err := server.Do(t.Context(), "INFO", "commandstats")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(fmt.Sprint(info), "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(rest, ",")
	return n
}

// What a node has written is read from its memory, also when the server has reported it.
func TestOwnWritesStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			s := open(t, single(server), c)
			n := near(t, s)
			next(t, watch(t, n), "a heartbeat", isWhole)
			events := watch(t, n)
			r := mustCreate(t, n, owned("id", "", in(time.Hour)))
			next(t, events, "the creation", isOf("id"))
			for i := range 20 {
				r.Data = fmt.Appendf(nil, `{"n":%d}`, i)
				v, err := n.Update(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				r.Version = v
				next(t, events, "the update", isOf("id"))
				before := statOf(t, server, "get")
				if got, err := n.Load(t.Context(), "id"); err != nil || string(got.Data) != string(r.Data) {
					t.Fatalf("Load: %s, %v", got.Data, err)
				}
				if after := statOf(t, server, "get"); after != before {
					t.Fatalf("Load of what was just written asked the server: %s GETs, then %s", before, after)
				}
			}
		})
	}
}

// Writes whose callers are gone may be done at any time later, on the same connection as
// reads that were asked before. What is kept in memory never outlives one.
func TestWritesThatWereLeftBehind(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	c := redisstore.Config{Prefix: newPrefix()}
	s := open(t, single(server), c)
	n, raw := near(t, s), newStore(t, redisstore.Config{Client: connect(t, single(server)), Prefix: c.Prefix})
	next(t, watch(t, n), "a heartbeat", isWhole)
	const ids = 4
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 4))
			for i := range 1500 {
				id := fmt.Sprint(r.IntN(ids))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(400))*time.Microsecond)
				switch r.IntN(8) {
				case 0:
					_ = n.Delete(ctx, id)
				case 1, 2:
					_, _ = n.Create(ctx, store.Record{ID: id, Data: fmt.Appendf(nil, "created %d/%d", w, i), Expires: in(time.Hour)})
				case 3, 4:
					if was, err := n.Load(t.Context(), id); err == nil {
						was.Data = fmt.Appendf(nil, "updated %d/%d", w, i)
						_, _ = n.Update(ctx, was)
					}
				case 5:
					_ = n.Touch(ctx, id, in(time.Duration(1+r.IntN(5))*time.Hour))
				default:
					_, _ = n.Load(t.Context(), id)
				}
				cancel()
			}
		})
	}
	all.Wait()
	for i := range ids {
		eventually(t, "memory and server agree", func() bool {
			kept, err1 := n.Load(t.Context(), fmt.Sprint(i))
			stored, err2 := raw.Load(t.Context(), fmt.Sprint(i))
			return fmt.Sprint(err1) == fmt.Sprint(err2) && kept.Version == stored.Version && string(kept.Data) == string(stored.Data) &&
				kept.Expires.Sub(stored.Expires).Abs() < time.Second
		})
	}
}
