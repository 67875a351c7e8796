package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// What anybody does to a session is told, by whatever command, and so is its expiry.
func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	prefix := newPrefix()
	events := watch(t, open(t, single(server), redisstore.Config{Prefix: prefix, Express: true, OwnerOf: ownerOf}))
	key := prefix + "id"
	for _, commands := range []string{
		"SET KEY {} EX 100", // connect-redis's set
		"SET KEY {}",
		"EXPIRE KEY 50", // its touch
		"PEXPIRE KEY 50000",
		"PERSIST KEY",
		"DEL KEY", // its destroy
		"SET KEY {}; UNLINK KEY",
		"SET KEY {}; EXPIRE KEY -1",
		"SET KEY {}; RENAME KEY other",
		"SET KEY {} PX 20",
	} {
		for command := range strings.SplitSeq(commands, "; ") {
			do(t, server, strings.Fields(strings.ReplaceAll(command, "KEY", key))...)
			next(t, events, command, isOf("id"))
		}
	}
	next(t, events, "the expiry", isOf("id"))
}

// The index of an owner is nobody's session.
func TestIndexesAreNotTold(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	c := redisstore.Config{Prefix: newPrefix()}
	s := open(t, single(server), c)
	events := watch(t, s)
	mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
	do(t, server, "ZADD", "nest-owner:"+c.Prefix+"user:1", "1", "x")
	do(t, server, "SET", "other:id", "1")
	mustCreate(t, s, owned("last", "user:1", in(time.Hour)))
	next(t, events, "the last", func(e store.Event) bool {
		if e.ID != "" && e.ID != "id" && e.ID != "last" {
			t.Errorf("notified of %q", e.ID)
		}
		return e.ID == "last"
	})
}

// A session that the server throws away to make room has ended like any other.
func TestEvictionIsTold(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{Extra: []string{"maxmemory-policy volatile-ttl"}})
	s := open(t, single(server), redisstore.Config{})
	events := watch(t, s)
	mustCreate(t, s, owned("id", "", in(time.Hour)))
	next(t, events, "the creation", isOf("id"))
	do(t, server, "CONFIG", "SET", "maxmemory", "1")
	_, _ = server.Do(t.Context(), "SET", "other", "x")
	next(t, events, "the eviction", isOf("id"))
}

// When all is thrown away, all may have changed.
func TestFlushIsTold(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	for _, command := range []string{"FLUSHALL", "FLUSHDB"} {
		s := open(t, single(server), redisstore.Config{})
		events, n := watch(t, s), near(t, s)
		mustCreate(t, n, owned("id", "", in(time.Hour)))
		next(t, events, "a heartbeat", isWhole)
		do(t, server, command)
		next(t, events, command, isMissed)
		eventually(t, "the cache knows", func() bool { _, err := n.Load(t.Context(), "id"); return err == store.ErrNotFound })
	}
}

// A write of the store's own is told with its version, once; one by others without.
func TestVersionsOfOwnWrites(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		c.Prefix = newPrefix()
		s, other := open(t, single(server), c), open(t, single(server), c)
		mine, theirs := watch(t, s), watch(t, other)
		r := mustCreate(t, s, owned("id", "", in(time.Hour)))
		if e := next(t, mine, "creation", isOf("id")); e.Version != r.Version {
			t.Errorf("%s: the creation was told as %+v, want version %x", name, e, r.Version)
		}
		next(t, theirs, "creation", isOf("id"))
		r.Data = []byte(`{"n":1}`)
		v, err := s.Update(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if e := next(t, mine, "update", isOf("id")); e.Version != v {
			t.Errorf("%s: the update was told as %+v, want version %x", name, e, v)
		}
		if e := next(t, theirs, "update", isOf("id")); e.Version != 0 {
			t.Errorf("%s: elsewhere the update was told as %+v", name, e)
		}
		if err := s.Touch(t.Context(), "id", in(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if e := next(t, mine, "touch", isOf("id")); e.Version != 0 || e.Ended {
			t.Errorf("%s: the touch was told as %+v", name, e)
		}
	}
}
