package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/tests/internal/relay"
)

// A prefix with a hash tag, usual where connect-redis is on a Cluster, keeps the contract
// on a Cluster and on a single server.
func TestLongContractHashTag(t *testing.T) {
	t.Parallel()
	for where, o := range map[string]rueidis.ClientOption{
		"Single": single(servers.SharedRedis(t)), "Cluster": {InitAddress: sharedCluster().Addrs()},
	} {
		all := clients(t, o)
		for name, test := range map[string]struct {
			config  redisstore.Config
			options storetest.Options
		}{"Native": {redisstore.Config{}, nativeOptions}, "Express": {expressConfig, expressOptions}} {
			t.Run(where+name, func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, opener(all, test.config, "{%s}."), test.options)
			})
		}
	}
}

// On a Cluster all keys of such a prefix are in one slot, so that a save with an owner is
// one round trip, as on a single server.
func TestHashTagIsOneSlot(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster()
	for name, deletes := range map[string]int64{"native": 1, "express": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c redisstore.Config
			if name == "express" {
				c = expressConfig
			}
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
			c.Prefix = "{" + newPrefix() + "}."
			want := map[string]int64{"load": 1, "update": 1, "new owner": 1, "create": 1, "touch": 1, "delete": deletes}
			countTurns(t, through(rueidis.ClientOption{InitAddress: cluster.Addrs()}, proxies), c, turns, want)
		})
	}
}

// What an application on Node keeps under such a prefix is read, listed, changed and ended.
func TestHashTagBesideNode(t *testing.T) {
	t.Parallel()
	for where, o := range map[string]rueidis.ClientOption{
		"single": single(servers.SharedRedis(t)), "cluster": {InitAddress: sharedCluster().Addrs()},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			c := expressConfig
			c.Client, c.Prefix = connect(t, o), "{"+newPrefix()+"}."
			s, ctx := newStore(t, c), t.Context()
			watched := c
			watched.Client, watched.TrimInterval = nil, -1
			opened := open(t, o, watched)
			events := watch(t, opened)
			if _, err := opened.Load(ctx, "theirs"); !errors.Is(err, store.ErrNotFound) { // makes the connection
				t.Fatal(err)
			}
			nodeSets := func(id, value string) {
				if err := c.Client.Do(ctx, c.Client.B().Set().Key(c.Prefix+id).Value(value).ExSeconds(3600).Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			nodeSets("theirs", `{"cookie":{},"owner":"user:1"}`)
			next(t, events, "the node application's session", func(e store.Event) bool { return e.ID == "theirs" })
			mustCreate(t, s, owned("ours", "user:1", in(time.Hour)))
			wantListed(t, s, "", "ours", "theirs")
			r, err := s.Load(ctx, "theirs")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Update(ctx, r); err != nil {
				t.Fatal(err)
			}
			wantListed(t, s, "user:1", "ours", "theirs")
			if value, err := c.Client.Do(ctx, c.Client.B().Get().Key(c.Prefix+"ours").Build()).ToString(); err != nil || value != `{"owner":"user:1"}` {
				t.Errorf("Node reads %q, %v", value, err)
			}
			c.Now = ahead(3 * time.Hour).now
			if n, err := newStore(t, c).TrimOwners(ctx); err != nil || n != 0 {
				t.Errorf("TrimOwners: %d, %v; both live", n, err)
			}
			if err := s.Delete(ctx, "theirs"); err != nil {
				t.Fatal(err)
			}
			wantListed(t, opened, "", "ours")
			wantListed(t, opened, "user:1", "ours")
		})
	}
}

// connect-redis's prefix: "" is NoPrefix: sessions are what is not the store's own.
func TestNoPrefix(t *testing.T) {
	t.Parallel()
	for where, start := range map[string]func(t *testing.T) rueidis.ClientOption{
		"single": func(t *testing.T) rueidis.ClientOption { return single(servers.StartRedis(t, servers.RedisOptions{})) },
		"cluster": func(t *testing.T) rueidis.ClientOption {
			return rueidis.ClientOption{InitAddress: servers.StartRedisCluster(t, servers.ClusterOptions{}).Addrs()}
		},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			o := start(t)
			for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
				c.Prefix, c.TrimInterval = redisstore.NoPrefix, 20*time.Millisecond
				client, ctx := connect(t, o), t.Context()
				s := open(t, o, c)
				events := watch(t, s)
				owners := []string{"user:1", ":x", "x", "-:", "#:"}
				for i, owner := range owners {
					mustCreate(t, s, owned(fmt.Sprint("id", i), owner, in(time.Hour)))
				}
				next(t, events, "a session", func(e store.Event) bool {
					if strings.HasPrefix(e.ID, "nest-") {
						t.Errorf("%s: an event of %q", name, e.ID)
					}
					return e.ID == "id4"
				})
				for i, owner := range owners {
					wantListed(t, s, owner, fmt.Sprint("id", i))
				}
				eventually(t, "the store trims", func() bool {
					n, err := client.Do(ctx, client.B().Exists().Key("nest-trim:-:").Build()).AsInt64()
					return err == nil && n == 1
				})
				wantListed(t, s, "", "id0", "id1", "id2", "id3", "id4")
				if n, err := client.Do(ctx, client.B().Exists().Key("id0").Build()).AsInt64(); err != nil || n != 1 {
					t.Errorf("%s: the session has no key of its id: %d, %v", name, n, err)
				}
				for i := range owners {
					if err := s.Delete(ctx, fmt.Sprint("id", i)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.Load(ctx, "id0"); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: a deleted session: %v", name, err)
				}
				s.Close()
			}
		})
	}
}
