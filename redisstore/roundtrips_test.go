package redisstore_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// A read is one round trip, and so is a save without conflict.
func TestRoundTripsSingle(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, test := range map[string]struct {
		config redisstore.Config
		delete int64
	}{"native": {redisstore.Config{}, 1}, "express": {expressConfig, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, server.Addr())
			o := through(single(server), map[string]*proxy{server.Addr(): p})
			countTurns(t, o, test.config, p.turns.Load, map[string]int64{
				"load": 1, "update": 1, "new owner": 1, "create": 1, "touch": 1, "delete": test.delete,
			})
		})
	}
}

func TestRoundTripsCluster(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster()
	for name, test := range map[string]struct {
		config redisstore.Config
		want   map[string]int64
	}{
		"native": {redisstore.Config{}, map[string]int64{
			"load": 1, "update": 1, "new owner": 3, "create": 2, "touch": 1, "delete": 2,
		}},
		"express": {expressConfig, map[string]int64{
			"load": 1, "update": 2, "new owner": 2, "create": 2, "touch": 1, "delete": 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies := map[string]*proxy{}
			for _, addr := range cluster.Addrs() {
				proxies[addr] = newProxy(t, addr)
			}
			turns := func() (n int64) {
				for _, p := range proxies {
					n += p.turns.Load()
				}
				return n
			}
			countTurns(t, through(rueidis.ClientOption{InitAddress: cluster.Addrs()}, proxies), test.config, turns, test.want)
		})
	}
}

// countTurns compares how many round trips the calls take, of one caller, once the
// server knows the scripts.
func countTurns(t *testing.T, o rueidis.ClientOption, c redisstore.Config, turns func() int64, want map[string]int64) {
	o.Dialer.KeepAlive = time.Hour // no pings in between
	c.Client = connect(t, o)
	c.Prefix = cmp.Or(c.Prefix, newPrefix())
	s := newStore(t, c)
	ctx := t.Context()
	var err error
	for i := range 2 {
		r := store.Record{ID: "id", Owner: "user:1", Data: []byte(`{"owner":"user:1"}`), Expires: time.Now().Add(time.Hour)}
		measure := func(what string, call func() error) {
			t.Helper()
			before := turns()
			if err := call(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if n := turns() - before; i > 0 && n != want[what] {
				t.Errorf("%s took %d round trips, want %d", what, n, want[what])
			}
		}
		measure("create", func() error {
			r.Version, err = s.Create(ctx, r)
			return err
		})
		measure("load", func() error {
			r, err = s.Load(ctx, r.ID)
			return err
		})
		measure("update", func() error {
			r.Data = []byte(`{"owner":"user:1","changed":true}`)
			r.Version, err = s.Update(ctx, r)
			return err
		})
		measure("new owner", func() error {
			r.Owner, r.Data = "user:2", []byte(`{"owner":"user:2"}`)
			r.Version, err = s.Update(ctx, r)
			return err
		})
		measure("touch", func() error { return s.Touch(ctx, r.ID, time.Now().Add(2*time.Hour)) })
		measure("delete", func() error { return s.Delete(ctx, r.ID) })
	}
}
