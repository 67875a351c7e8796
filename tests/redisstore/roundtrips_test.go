package redisstore_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
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
			p := relay.New(t, server.Addr())
			o := through(single(server), map[string]*relay.Relay{server.Addr(): p})
			countTurns(t, o, test.config, p.RoundTrips, map[string]int64{
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
			proxies := map[string]*relay.Relay{}
			for _, addr := range cluster.Addrs() {
				proxies[addr] = relay.New(t, addr)
			}
			turns := func() (n int64) {
				for _, p := range proxies {
					n += p.RoundTrips()
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

// To find the sessions of an owner, if there are any, is one round trip, and to end n of
// them at most n more.
func TestRoundTripsOfAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := relay.New(t, server.Addr())
			o := through(single(server), map[string]*relay.Relay{server.Addr(): p})
			o.Dialer.KeepAlive = time.Hour
			c.Client, c.Prefix = connect(t, o), newPrefix()
			s := newStore(t, c)
			const many = 50
			for i := range many {
				mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
			}
			wantListed(t, s, "user:2")
			turns := func(what string, most int64, call func()) {
				t.Helper()
				before := p.RoundTrips()
				call()
				if n := p.RoundTrips() - before; n > most {
					t.Errorf("%s took %d round trips, want %d", what, n, most)
				}
			}
			turns("an owner without sessions", 1, func() { wantListed(t, s, "user:2") })
			var records []store.Record
			turns("an owner's sessions", 1, func() {
				for r, err := range s.List(t.Context(), "user:1") {
					if err != nil {
						t.Fatal(err)
					}
					records = append(records, r)
				}
			})
			if len(records) != many {
				t.Fatalf("%d sessions are listed, want %d", len(records), many)
			}
			turns("ending them", many, func() {
				for _, r := range records {
					r.Owner, r.Data, r.Expires = "", []byte(`{}`), in(30*time.Second)
					if _, err := s.Update(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
			})
			turns("looking again", 1, func() { wantListed(t, s, "user:1") })
			if got := indexed(t, c.Client, c.Prefix, "user:1"); !c.Express && len(got) > 0 {
				t.Errorf("the index holds %q, of sessions that have ended", got)
			}
		})
	}
}
