package faults

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
)

// Before the master of a Redis with replicas is killed, the users stop, and the replicas catch up:
// Redis answers a write before a replica has it, so the last writes may be lost with the master.

// TestFailover: another server takes over from the master.
func TestFailover(t *testing.T) {
	watchGoroutines(t)
	t.Run("to", func(t *testing.T) {
		t.Run("a replica by Sentinel", sentinelFailover)
		t.Run("a replica in a Cluster", clusterFailover)
		t.Run("a replica of a master that hangs", frozenMaster)
	})
}

const password = "s3cr3t-p4ssw0rd"

// openSentinel opens a store on whichever server is the master.
func openSentinel(t testing.TB, s *servers.Sentinel) store.Store {
	t.Helper()
	o := redisOption(password, s.Addrs()...)
	o.Sentinel = rueidis.SentinelOption{MasterSet: s.MasterName, TopologyRefreshInterval: time.Second}
	return openRedis(t, o)
}

// sentinelFailover: the master is killed, Sentinel makes its replica the master, and all data of
// the replica are used from then on.
func sentinelFailover(t *testing.T) {
	t.Parallel()
	s := servers.StartSentinel(t, servers.SentinelOptions{Password: password})
	failover(t, [2]store.Store{openSentinel(t, s), openSentinel(t, s)}, s.Master, s.Replicas[0])
}

// clusterFailover: a master of a Cluster is killed, and its replica takes over its part of the
// sessions. The other sessions are served meanwhile.
func clusterFailover(t *testing.T) {
	t.Parallel()
	c := servers.StartRedisCluster(t, servers.ClusterOptions{Replicas: 1, Password: password, Extra: []string{"cluster-require-full-coverage no"}})
	open := func() store.Store { return openRedis(t, redisOption(password, c.Addrs()...)) }
	failover(t, [2]store.Store{open(), open()}, c.Nodes[0], c.Replica(0, 0))
}

// failover replaces the master with the replica while users make requests.
func failover(t *testing.T, stores [2]store.Store, master, replica *servers.Redis) {
	nodes := []*node{newNode(t, stores[0], hurried), newNode(t, stores[1], hurried)}
	before := newCrowd(t, nodes...)
	before.saves(100)
	before.end()
	caughtUp(t, master, replica)

	// Only reads are in flight when the master is killed. They may fail, but must not return wrong
	// data.
	var reading crowdOfReaders
	reading.start(before)
	master.Kill()
	until(t, "the replica is the master", func() bool {
		info, err := replica.Info(t.Context())
		return err == nil && info["role"] == "master"
	})
	for _, n := range nodes {
		for _, b := range before.stay {
			until(t, b.user+" can save again", func() bool { return b.add(n).status == http.StatusOK })
		}
	}
	reading.end()
	before.check()

	after := newCrowd(t, nodes...) // logins and logouts work as well
	after.saves(50)
	after.check()
	after.secrets(password)
}

// caughtUp waits until the replica has all data of the master.
func caughtUp(t *testing.T, master, replica *servers.Redis) {
	t.Helper()
	until(t, "the replica is up to date", func() bool {
		m, err := master.Info(t.Context())
		if err != nil {
			return false
		}
		r, err := replica.Info(t.Context())
		return err == nil && r["master_link_status"] == "up" && m["master_repl_offset"] == r["slave_repl_offset"]
	})
}

// crowdOfReaders only looks, so that nothing is written.
type crowdOfReaders struct{ crowd }

func (r *crowdOfReaders) start(c *crowd) {
	r.nodes, r.stop = c.nodes, make(chan struct{})
	for _, b := range append(c.stay, c.ended.all...) {
		r.running.Go(func() {
			for r.pause(b.look(r.node())) {
			}
		})
	}
}

// frozenMaster: a master hangs, is replaced, and then continues as if it were still the master.
// With min-replicas-to-write it accepts no write that would be lost.
func frozenMaster(t *testing.T) {
	t.Parallel()
	s := servers.StartSentinel(t, servers.SentinelOptions{
		Password: password, Replicas: 2,
		Extra: []string{"min-replicas-to-write 1", "min-replicas-max-lag 2"},
	})
	c := newCrowd(t, newNode(t, openSentinel(t, s), hurried), newNode(t, openSentinel(t, s), hurried))
	c.saves(100)
	c.end()
	for _, r := range s.Replicas {
		caughtUp(t, s.Master, r)
	}
	s.Master.Freeze()
	until(t, "a replica is the master", func() bool {
		addr, err := s.MasterAddr(t.Context())
		return err == nil && addr != s.Master.Addr()
	})
	for _, b := range c.stay {
		until(t, b.user+" can save again", func() bool { return b.add(c.node()).status == http.StatusOK })
	}
	s.Master.Thaw()
	for _, b := range c.stay {
		b.add(c.node())
		b.settled(c.node())
	}
	until(t, "the old master is a replica", func() bool {
		info, err := s.Master.Info(t.Context())
		return err == nil && info["role"] == "slave" && info["master_link_status"] == "up"
	})
	c.check()
	c.secrets(password)
}

// TestScriptFlush: another client empties the server's cache of scripts again and again, and no
// request fails.
func TestScriptFlush(t *testing.T) {
	watchGoroutines(t)
	t.Run("redis", func(t *testing.T) {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password})
		b := redisBackend(r)
		c := newCrowd(t, newNode(t, b.open(t, r.Addr()), unhurried), newNode(t, b.open(t, r.Addr()), unhurried))
		for range 30 {
			if _, err := r.Do(t.Context(), "SCRIPT", "FLUSH"); err != nil {
				t.Fatal(err)
			}
			c.saves(5)
		}
		c.check()
		for _, b := range c.stay {
			if b.unknown != 0 {
				t.Errorf("%s: %d saves failed", b.user, b.unknown)
			}
		}
		for _, n := range c.nodes {
			if log := n.log.String(); strings.Contains(log, "failed") {
				t.Errorf("something failed:\n%s", log)
			}
		}
	})
}
