package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// fill keeps n sessions that live and as many that are told to go.
func fill(t *testing.T, c rueidis.Client, prefix string, n int, kind string) {
	t.Helper()
	cmds := make(rueidis.Commands, 0, n)
	for i := range n {
		cmds = append(cmds, c.B().Set().Key(prefix+kind+strconv.Itoa(i)).Value("{}").ExSeconds(3600).Build())
		if len(cmds) == 1000 || i == n-1 {
			for _, answer := range c.DoMulti(t.Context(), cmds...) {
				if err := answer.Error(); err != nil {
					t.Fatal(err)
				}
			}
			cmds = cmds[:0]
		}
	}
}

func remove(t *testing.T, c rueidis.Client, prefix string, n int, kind string) {
	t.Helper()
	cmds := make(rueidis.Commands, 0, n)
	for i := range n {
		cmds = append(cmds, c.B().Del().Key(prefix+kind+strconv.Itoa(i)).Build())
		if len(cmds) == 1000 || i == n-1 {
			for _, answer := range c.DoMulti(t.Context(), cmds...) {
				if err := answer.Error(); err != nil {
					t.Fatal(err)
				}
			}
			cmds = cmds[:0]
		}
	}
}

// tableSize is what the server's hash table of keys takes, in bytes.
func tableSize(t *testing.T, c rueidis.Client) int64 {
	t.Helper()
	stats, err := c.Do(t.Context(), c.B().MemoryStats().Build()).AsMap()
	if err != nil {
		t.Fatal(err)
	}
	message := stats["db.0"]
	db, err := message.AsMap()
	if err != nil {
		t.Fatal(err)
	}
	size := db["overhead.hashtable.main"]
	n, err := size.AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Sessions that live throughout are listed exactly once, while the server's hash
// table grows and shrinks under the listing.
func TestListWhileTheTableIsResized(t *testing.T) {
	t.Parallel()
	const live, others = 1000, 60_000
	for name, test := range map[string]struct {
		before int // others that are there at first
		change func(t *testing.T, c rueidis.Client)
	}{
		"shrinks": {others, func(t *testing.T, c rueidis.Client) {
			remove(t, c, "sess:", others, "other")
			eventually(t, "the table has shrunk", func() bool { return tableSize(t, c) < 200_000 })
		}},
		"grows": {0, func(t *testing.T, c rueidis.Client) {
			fill(t, c, "sess:", others, "other")
			eventually(t, "the table has grown", func() bool { return tableSize(t, c) > 1_000_000 })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			client := connect(t, single(server))
			s := newStore(t, redisstore.Config{Client: client, Express: true})
			// Everything changes once this many have been listed.
			for _, at := range []int{1, live / 5, live / 2, live * 4 / 5} {
				fill(t, client, "sess:", live, "live")
				fill(t, client, "sess:", test.before, "other")
				seen := map[string]int{}
				n := 0
				for r, err := range s.List(t.Context(), "") {
					if err != nil {
						t.Fatal(err)
					}
					if strings.HasPrefix(r.ID, "live") {
						if seen[r.ID]++; n == at {
							test.change(t, client)
						}
						n++
					}
				}
				for i := range live {
					if id := "live" + strconv.Itoa(i); seen[id] != 1 {
						t.Fatalf("changed after %d of %d: %s was listed %d times", at, live, id, seen[id])
					}
				}
				if err := client.Do(t.Context(), client.B().Flushall().Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// The same for an owner's index, whose entries are in a hash table of their own.
func TestListWhileTheIndexShrinks(t *testing.T) {
	t.Parallel()
	const live, stale = 200, 10_000
	client := connect(t, single(servers.StartRedis(t, servers.RedisOptions{})))
	s := newStore(t, redisstore.Config{Client: client, Express: true, OwnerOf: func([]byte) string { return "user:1" }})
	key := "nest-owner:sess:user:1"
	fill(t, client, "sess:", live, "live")
	for at := 20; at < live; at += 20 {
		cmds := make(rueidis.Commands, 0, live+stale)
		for i := range live + stale {
			id := "live" + strconv.Itoa(i)
			if i >= live {
				id = "stale" + strconv.Itoa(i)
			}
			cmds = append(cmds, client.B().Zadd().Key(key).ScoreMember().ScoreMember(1e14, id).Build())
		}
		client.DoMulti(t.Context(), cmds...)
		seen := map[string]int{}
		for r, err := range s.List(t.Context(), "user:1") {
			if err != nil {
				t.Fatal(err)
			}
			if seen[r.ID]++; len(seen) == at && seen[r.ID] == 1 {
				// Twice, as the table shrinks at a removal, and each look moves a bit of
				// it to the smaller one.
				for _, some := range [][2]int{{50, stale}, {0, 50}} {
					var cmds rueidis.Commands
					for i := some[0]; i < some[1]; i++ {
						cmds = append(cmds, client.B().Zrem().Key(key).Member("stale"+strconv.Itoa(live+i)).Build())
					}
					for range stale {
						cmds = append(cmds, client.B().Zscore().Key(key).Member("live0").Build())
					}
					client.DoMulti(t.Context(), cmds...)
				}
			}
		}
		for i := range live {
			if id := "live" + strconv.Itoa(i); seen[id] != 1 {
				t.Fatalf("changed after %d of %d: %s was listed %d times", at, live, id, seen[id])
			}
		}
	}
}

// The prefix is no pattern.
func TestListPrefixIsLiteral(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	prefix := newPrefix()
	for i, part := range []string{"a*", "a?", "[a-c]", "[^a]", `a\`, "ab", "abc", "a", "b"} {
		s := newStore(t, redisstore.Config{Client: client, Prefix: prefix + part + ":"})
		mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
		wantListed(t, s, "", fmt.Sprint("id", i))
		wantListed(t, s, "user:1", fmt.Sprint("id", i))
	}
}

// More sessions than fit in a page, of one owner, on each deployment; the body of
// the loop ends them.
func TestListManyOfAnOwner(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		s := newStore(t, c)
		const many = 1500
		for i := range many {
			mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
		}
		ended := map[string]bool{}
		for r, err := range s.List(t.Context(), "user:1") {
			if err != nil {
				t.Fatal(err)
			}
			if ended[r.ID] {
				t.Errorf("%s was listed again", r.ID)
			}
			ended[r.ID] = true
			if err := s.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		if len(ended) != many {
			t.Errorf("%d sessions were listed, want %d", len(ended), many)
		}
		wantListed(t, s, "user:1")
	})
}

// The error of a listing that could have missed sessions is told, not a shorter list.
func listsUntil(t *testing.T, s *redisstore.Store, owner string, after func()) error {
	t.Helper()
	n := 0
	var last error
	for r, err := range s.List(t.Context(), owner) {
		if last != nil {
			t.Fatal("a record came after the error")
		}
		if err != nil {
			if r.ID != "" {
				t.Errorf("beside the error came the record %q", r.ID)
			}
			last = err
			continue
		}
		if n++; n == 1 {
			after()
		}
	}
	return last
}

// A server that was replaced goes through its keys in another order.
func TestListWhenAnotherServerTakesOver(t *testing.T) {
	t.Parallel()
	first := servers.StartRedis(t, servers.RedisOptions{})
	client := connect(t, single(first))
	s := newStore(t, redisstore.Config{Client: client})
	for i := range 500 {
		mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
	}
	for _, owner := range []string{"", "user:1"} {
		err := listsUntil(t, s, owner, first.Restart)
		if err == nil || !strings.Contains(err.Error(), "list again") {
			t.Errorf("List of %q over a restart: %v, want an error that says to list again", owner, err)
		}
		for i := range 500 {
			_, err := s.Create(t.Context(), owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
			if err != nil && !errors.Is(err, store.ErrExists) {
				t.Fatal(err)
			}
		}
	}
}

// Slots that move while all are listed could take sessions from a node that is
// still to come to one that is done.
func TestListWhileSlotsMove(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t, servers.ClusterOptions{})
	ctx := t.Context()
	s := newStore(t, redisstore.Config{Client: connect(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})})
	for i := range 500 {
		mustCreate(t, s, owned(fmt.Sprint("id", i), "user:1", in(time.Hour)))
	}
	from, to := cluster.Nodes[2], cluster.Nodes[0]
	id := func(n *servers.Redis) string { return do(t, n, "CLUSTER", "MYID") }
	fromID, toID := id(from), id(to)
	const slot = "16000" // the last node's
	begin := func() {
		do(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
		do(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	}
	moved := func() {
		begin()
		for key := do(t, from, "CLUSTER", "GETKEYSINSLOT", slot, "1"); key != "[]"; key = do(t, from, "CLUSTER", "GETKEYSINSLOT", slot, "1") {
			do(t, from, "MIGRATE", "127.0.0.1", to.Port(), strings.Trim(key, "[]"), "0", "5000")
		}
		for _, n := range cluster.Nodes {
			do(t, n, "CLUSTER", "SETSLOT", slot, "NODE", toID)
		}
	}
	err := listsUntil(t, s, "", moved)
	if err == nil || !strings.Contains(err.Error(), "list again") {
		t.Errorf("List while a slot was moved: %v, want an error that says to list again", err)
	}
	eventually(t, "the nodes agree", func() bool { return s.Ping(ctx) == nil && listsUntil(t, s, "", func() {}) == nil })
	if got := idsOf(t, s, ""); len(got) != 500 {
		t.Errorf("%d sessions are listed after the move, want 500", len(got))
	}
	if got := idsOf(t, s, "user:1"); len(got) != 500 {
		t.Errorf("%d sessions of the owner are listed after the move, want 500", len(got))
	}

	from, to = to, from
	fromID, toID = toID, fromID
	begin()
	if err := listsUntil(t, s, "", func() {}); err == nil || !strings.Contains(err.Error(), "moving slots") {
		t.Errorf("List amid a move: %v, want an error that says so", err)
	}
	if err := listsUntil(t, s, "user:1", func() {}); err != nil {
		t.Errorf("List by owner amid a move: %v; it does not depend on where sessions lie", err)
	}
}

// do runs a command on one server, as an operator.
func do(t *testing.T, n *servers.Redis, command ...string) string {
	t.Helper()
	answer, err := n.Do(context.Background(), command...)
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return fmt.Sprint(answer)
}
