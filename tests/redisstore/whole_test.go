package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

// keysOf are the keys with a prefix, wherever they are.
func keysOf(t *testing.T, c rueidis.Client, prefix string) (keys []string) {
	t.Helper()
	for _, n := range c.Nodes() {
		some, err := n.Do(t.Context(), n.B().Keys().Pattern(prefix+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, some...)
	}
	return keys
}

// losses are what may happen to an owner's index, of user:1.
var losses = map[string]func(t *testing.T, s *redisstore.Store, c redisstore.Config){
	"deleted": func(t *testing.T, _ *redisstore.Store, c redisstore.Config) {
		drop(t, c.Client, "nest-owner:"+c.Prefix+"user:1")
	},
	"deleted, and begun anew by a login": func(t *testing.T, s *redisstore.Store, c redisstore.Config) {
		drop(t, c.Client, "nest-owner:"+c.Prefix+"user:1")
		mustCreate(t, s, owned("new", "user:1", in(time.Hour)))
	},
	"one entry gone": func(t *testing.T, _ *redisstore.Store, c redisstore.Config) {
		zrem := c.Client.B().Zrem().Key("nest-owner:" + c.Prefix + "user:1").Member("b").Build()
		if n, err := c.Client.Do(t.Context(), zrem).AsInt64(); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	},
	"all indexes deleted": func(t *testing.T, _ *redisstore.Store, c redisstore.Config) {
		drop(t, c.Client, keysOf(t, c.Client, "nest-")...)
	},
	"all indexes deleted, and begun anew by a login": func(t *testing.T, s *redisstore.Store, c redisstore.Config) {
		drop(t, c.Client, keysOf(t, c.Client, "nest-")...)
		mustCreate(t, s, owned("new", "user:1", in(time.Hour)))
	},
	"a list": func(t *testing.T, _ *redisstore.Store, c redisstore.Config) {
		breakKey(t, c.Client, "nest-owner:"+c.Prefix+"user:1", broken["a list"])
	},
	"a hash, and then a login": func(t *testing.T, s *redisstore.Store, c redisstore.Config) {
		breakKey(t, c.Client, "nest-owner:"+c.Prefix+"user:1", broken["a hash"])
		mustCreate(t, s, owned("new", "user:1", in(time.Hour)))
	},
	"text, and then a change of owner": func(t *testing.T, s *redisstore.Store, c redisstore.Config) {
		breakKey(t, c.Client, "nest-owner:"+c.Prefix+"user:1", broken["garbage"])
		r := mustCreate(t, s, owned("new", "user:3", in(time.Hour)))
		r.Owner, r.Data = "user:1", []byte(`{"owner":"user:1"}`)
		if _, err := s.Update(t.Context(), r); err != nil {
			t.Errorf("Update: %v", err)
		}
	},
	"all that is not a session is of another type": func(t *testing.T, s *redisstore.Store, c redisstore.Config) {
		for _, key := range keysOf(t, c.Client, "nest-") {
			breakKey(t, c.Client, key, broken["a set"])
		}
		mustCreate(t, s, owned("new", "user:1", in(time.Hour)))
	},
}

func drop(t *testing.T, c rueidis.Client, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := c.Do(t.Context(), c.B().Del().Key(key).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

// private gives a test a server, or a Cluster, of its own.
func private(t *testing.T, test func(t *testing.T, o rueidis.ClientOption, c redisstore.Config)) {
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		for where, prefix := range map[string]string{"single": "app:", "cluster": "app:", "cluster with a hash tag": "{app}."} {
			t.Run(where+", "+name, func(t *testing.T) {
				t.Parallel()
				c.Prefix = prefix
				if where == "single" {
					test(t, single(servers.StartRedis(t, servers.RedisOptions{})), c)
					return
				}
				test(t, rueidis.ClientOption{InitAddress: servers.StartRedisCluster(t, servers.ClusterOptions{}).Addrs()}, c)
			})
		}
	}
}

// An index that was lost is noticed: none of the owner's sessions is missed, and the index
// is as it was afterwards.
func TestLostIndex(t *testing.T) {
	t.Parallel()
	private(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client, c.Logger = connect(t, o), logTo(io.Discard)
		for _, loss := range slices.Sorted(maps.Keys(losses)) {
			s := newStore(t, c)
			want := []string{"a", "b", "c"}
			for _, id := range want {
				mustCreate(t, s, owned(id, "user:1", in(time.Hour)))
			}
			mustCreate(t, s, owned("other", "user:2", in(time.Hour)))
			wantListed(t, s, "user:1", want...)
			losses[loss](t, s, c)
			if _, err := s.Load(t.Context(), "new"); err == nil {
				want = append(want, "new")
			}
			for range 2 {
				if got := idsOf(t, s, "user:1"); !slices.Equal(got, want) {
					t.Errorf("%s: %q are listed, want %q", loss, got, want)
				}
				wantListed(t, s, "user:2", "other")
				wantListed(t, s, "nobody")
			}
			if got := indexed(t, c.Client, c.Prefix, "user:1"); !slices.Equal(got, want) {
				t.Errorf("%s: afterwards the index holds %q, want %q", loss, got, want)
			}
			drop(t, c.Client, append(keysOf(t, c.Client, "nest-"), keysOf(t, c.Client, c.Prefix)...)...)
		}
	})
}

// To revoke an owner's sessions ends them all after such a loss.
func TestRevokeOwnerAfterALoss(t *testing.T) {
	t.Parallel()
	private(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.OwnerOf = nil
		if c.Express {
			c.OwnerOf = session.OwnerOf
		}
		n := newNode(t, o, c)
		client := connect(t, o)
		for i, begunAnew := range []bool{false, true} {
			var visitors []visitor
			for range 3 {
				v := visitor{}
				v.login(n)
				visitors = append(visitors, v)
			}
			drop(t, client, "nest-owner:"+c.Prefix+"user:ada")
			if begunAnew {
				v := visitor{}
				v.login(n)
				visitors = append(visitors, v)
			}
			if ended, err := n.sessions.RevokeOwner(t.Context(), "user:ada"); err != nil || ended != len(visitors) {
				t.Errorf("%d: RevokeOwner ended %d of %d sessions, %v", i, ended, len(visitors), err)
			}
			for _, v := range visitors {
				v.visit(n, func(_ context.Context, s *session.Session[account]) {
					if s.Data().User != "" {
						t.Errorf("%d: a session outlived RevokeOwner", i)
					}
				})
			}
		}
	})
}

// A server that evicts keys that do not expire takes an index, with its count and with it
// what says that all are whole: no session is missed.
func TestEvictedIndex(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig, "native, later": {}, "express, later": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			later := strings.HasSuffix(name, "later") // the store is there before the policy
			policy := "allkeys-lru"
			if later {
				policy = "noeviction"
			}
			server := servers.StartRedis(t, servers.RedisOptions{Extra: []string{"maxmemory-policy " + policy, "maxmemory 4mb"}})
			var log strings.Builder
			c.Client, c.Logger, c.Prefix = connect(t, single(server)), logTo(&log), "app:"
			s := newStore(t, c)
			if strings.Contains(log.String(), "noeviction") == later {
				t.Errorf("the log is %q, want a warning", log.String())
			}
			const many = 20
			for i := range many {
				mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
			}
			if got := idsOf(t, s, "user:1"); len(got) != many {
				t.Fatalf("%d of %d are listed", len(got), many)
			}
			do(t, server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
			evict := func(fill int) {
				index, count, whole := "nest-owner:"+c.Prefix+"user:1", "nest-owner:#:"+c.Prefix+"user:1", "nest-owner:#:"+c.Prefix
				for i := 0; len(keysOf(t, c.Client, index))+len(keysOf(t, c.Client, count)) > 0; i++ {
					// The sessions are in use, and what says that all is well; the index is not.
					c.Client.Do(t.Context(), c.Client.B().Get().Key(whole).Build())
					for j := range many {
						_, _ = s.Load(t.Context(), fmt.Sprint("id", j))
					}
					for j := range 100 {
						set := c.Client.B().Set().Key(fmt.Sprint("cache", fill, i, j)).Value(strings.Repeat("x", 1000)).Build()
						if err := c.Client.Do(t.Context(), set).Error(); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			alive := func() (ids []string) {
				ids = []string{}
				for _, key := range keysOf(t, c.Client, c.Prefix) {
					ids = append(ids, strings.TrimPrefix(key, c.Prefix))
				}
				slices.Sort(ids)
				return ids
			}
			for round := range 3 {
				evict(round)
				if round > 0 {
					mustCreate(t, s, owned(fmt.Sprint("new", round), "user:1", in(time.Hour)))
				}
				if round == 2 { // the operator does as he was told
					do(t, server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
					do(t, server, "CONFIG", "SET", "maxmemory", "0")
				}
				got, want := idsOf(t, s, "user:1"), alive()
				if len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("round %d: %q are listed, want those that live: %q", round, got, want)
				}
			}
		})
	}
}

// What the version before has written, which kept no counts, is whole after one look.
func TestIndexesWithoutCounts(t *testing.T) {
	t.Parallel()
	private(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		s := newStore(t, c)
		for _, id := range []string{"a", "b"} {
			mustCreate(t, s, owned(id, "user:1", in(time.Hour)))
		}
		drop(t, c.Client, keysOf(t, c.Client, "nest-owner:#:")...)
		c.TrimInterval = time.Hour // which looks by itself as it begins
		newStore(t, c)
		eventually(t, "the counts are there", func() bool { return len(keysOf(t, c.Client, "nest-owner:#:")) == 2 })
		wantListed(t, s, "user:1", "a", "b")
	})
}
