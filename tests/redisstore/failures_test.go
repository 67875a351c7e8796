package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// increment counts in the session's document, and starts again when somebody else
// was faster.
func increment(ctx context.Context, s store.Store) error {
	for {
		r, err := s.Load(ctx, "id")
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(string(r.Data), `{"n":%d}`, &n); err != nil {
			return err
		}
		r.Data = fmt.Appendf(nil, `{"n":%d}`, n+1)
		if _, err = s.Update(ctx, r); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// A server that has lost its scripts gets them anew, and runs each once.
func TestScriptsFlushed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			c := c
			c.Client = connect(t, single(server))
			s := newStore(t, c)
			mustCreate(t, s, store.Record{ID: "id", Data: []byte(`{"n":0}`), Expires: in(time.Hour)})
			flushing, stop := context.WithCancel(t.Context())
			flushed := make(chan struct{})
			go func() {
				defer close(flushed)
				for flushing.Err() == nil {
					_, _ = server.Do(t.Context(), "SCRIPT", "FLUSH")
				}
			}()
			const callers, each = 4, 50
			errs := make(chan error)
			for range callers {
				go func() {
					var err error
					for range each {
						err = errors.Join(err, increment(t.Context(), s))
					}
					errs <- err
				}()
			}
			for range callers {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			stop()
			<-flushed
			if r, err := s.Load(t.Context(), "id"); err != nil || string(r.Data) != fmt.Sprintf(`{"n":%d}`, callers*each) {
				t.Errorf("after %d increments: %s, %v", callers*each, r.Data, err)
			}
		})
	}
}

// A write whose answer is lost is an error, neither a success nor a conflict, and is
// not sent again: it was done once, and the next load shows it.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			p := relay.New(t, server.Addr())
			c := c
			c.Client = connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p}))
			s := newStore(t, c)
			ctx := t.Context()
			r := mustCreate(t, s, store.Record{ID: "id", Data: []byte(`{"n":0}`), Expires: in(time.Hour)})
			r.Data = []byte(`{"n":0 }`)
			v, err := s.Update(ctx, r) // the server knows the script
			if err != nil {
				t.Fatal(err)
			}
			r.Version, r.Data = v, []byte(`{"n":1}`)
			var scripts atomic.Int64
			var cut atomic.Bool
			p.OnRequest(func(request []byte) bool {
				scripts.Add(int64(bytes.Count(request, []byte("EVAL"))))
				return true
			})
			p.OnReply(func(answer []byte) []byte {
				// The script's answer is a number. Another connection may be made meanwhile.
				if scripts.Load() > 0 && bytes.HasPrefix(answer, []byte(":")) && !cut.Swap(true) {
					return nil
				}
				return answer
			})
			_, err = s.Update(ctx, r)
			if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("Update whose answer was lost: %v, want an error that leaves it open", err)
			}
			if got, err := s.Load(ctx, "id"); err != nil || string(got.Data) != `{"n":1}` {
				t.Errorf("Load: %s, %v; want what was written", got.Data, err)
			}
			if n := scripts.Load(); n != 1 {
				t.Errorf("the write was sent %d times", n)
			}
			if _, err := s.Update(ctx, r); !errors.Is(err, store.ErrConflict) {
				t.Errorf("Update of the version before: %v, want ErrConflict", err)
			}
		})
	}
}

// A read whose answer is lost is asked again.
func TestReadsAreRepeated(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	p := relay.New(t, server.Addr())
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		c.Client, c.Prefix = connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p})), newPrefix()
		s := newStore(t, c)
		mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
		calls := map[string]func() error{
			"Load":             func() error { _, err := s.Load(t.Context(), "id"); return err },
			"List":             func() error { return listsUntil(t, s, "", func() {}) },
			"List of an owner": func() error { return listsUntil(t, s, "user:1", func() {}) },
			"TrimOwners":       func() error { _, err := s.TrimOwners(t.Context()); return err },
		}
		for method, call := range calls {
			var cut atomic.Bool
			p.OnReply(func(answer []byte) []byte {
				if !cut.Swap(true) {
					return nil
				}
				return answer
			})
			if err := call(); err != nil {
				t.Errorf("%s, %s over a connection that is cut: %v", name, method, err)
			}
		}
	}
}

// A replica that takes over knows no scripts; what was acknowledged and copied is
// there, and the store finds the new primary by itself.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sentinel := servers.StartSentinel(t, servers.SentinelOptions{})
			c := c
			c.Client = connect(t, rueidis.ClientOption{
				InitAddress: sentinel.Addrs(),
				Sentinel:    rueidis.SentinelOption{MasterSet: sentinel.MasterName, TopologyRefreshInterval: time.Second},
			})
			s := newStore(t, c)
			r := mustCreate(t, s, store.Record{ID: "id", Owner: "user:1", Data: []byte(`{"owner":"user:1"}`), Expires: in(time.Hour)})
			if err := c.Client.Do(t.Context(), c.Client.B().Wait().Numreplicas(1).Timeout(0).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the replica has it", func() bool {
				return strings.Contains(do(t, sentinel.Replicas[0], "KEYS", "*"), "nest-owner:")
			})
			sentinel.Master.Kill()
			r.Data = []byte(`{"owner":"user:1","n":1}`)
			eventually(t, "the replica takes over", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := s.Update(ctx, r)
				if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
					t.Fatalf("Update during a failover: %v", err)
				}
				return err == nil
			})
			if got, err := s.Load(t.Context(), "id"); err != nil || string(got.Data) != string(r.Data) {
				t.Errorf("Load after the failover: %s, %v", got.Data, err)
			}
			wantListed(t, s, "user:1", "id")
		})
	}
}

// A shard whose primary is lost is served by its replica, and a slot that moves by
// either node; in between Ping tells.
func TestClusterFailoverAndMove(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t, servers.ClusterOptions{Replicas: 1})
	c := redisstore.Config{Client: connect(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})}
	s := newStore(t, c)
	const id = "{slot 4813}" // any: it is on some node, with an index elsewhere
	r := mustCreate(t, s, owned(id, "user:1", in(time.Hour)))
	key := "nest:" + id
	slot := do(t, cluster.Nodes[0], "CLUSTER", "KEYSLOT", key)
	var from, to *servers.Redis
	for i, n := range cluster.Nodes[:3] {
		if do(t, n, "CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			from, to = n, cluster.Nodes[(i+1)%3]
		}
	}
	fromID, toID := do(t, from, "CLUSTER", "MYID"), do(t, to, "CLUSTER", "MYID")
	work := func(when string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), maxWait)
		defer cancel()
		r.Data = append(r.Data, ' ')
		v, err := s.Update(ctx, r)
		if err != nil {
			t.Errorf("%s: Update: %v", when, err)
		}
		r.Version = v
		if err := s.Touch(ctx, id, in(2*time.Hour)); err != nil {
			t.Errorf("%s: Touch: %v", when, err)
		}
		if got, err := s.Load(ctx, id); err != nil || string(got.Data) != string(r.Data) || got.Version != v {
			t.Errorf("%s: Load: %s, %v; want %s", when, got.Data, err, r.Data)
		}
		wantListed(t, s, "user:1", id)
	}
	work("at first")
	do(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	do(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	work("before its key moves")
	do(t, from, "MIGRATE", "127.0.0.1", to.Port(), key, "0", "5000")
	work("when its key has moved, and the slot not")
	for _, n := range cluster.Nodes[:3] {
		do(t, n, "CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
	work("when the slot has moved")

	replica := cluster.Replica(2, 0)
	eventually(t, "the replica has everything", func() bool {
		return do(t, replica, "DBSIZE") == do(t, cluster.Nodes[2], "DBSIZE")
	})
	cluster.Nodes[2].Kill()
	eventually(t, "Ping tells", func() bool { return s.Ping(t.Context()) != nil })
	eventually(t, "the replica takes over", func() bool { return s.Ping(t.Context()) == nil })
	eventually(t, "all sessions are listed again", func() bool {
		err := listsUntil(t, s, "", func() {})
		return err == nil && len(idsOf(t, s, "")) == 1
	})
	work("after the failover")
}

// A client that sends reads to replicas does not answer what was ended.
func TestReadsGoToThePrimary(t *testing.T) {
	t.Parallel()
	primary := servers.StartRedis(t, servers.RedisOptions{})
	replica := servers.StartRedis(t, servers.RedisOptions{ReplicaOf: primary})
	o := single(primary)
	o.Standalone.ReplicaAddress = []string{replica.Addr()}
	o.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
	client := connect(t, o)
	s := newStore(t, redisstore.Config{Client: client})
	do(t, replica, "REPLICAOF", "NO", "ONE") // it stays behind for good
	mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
	if n, err := client.Do(t.Context(), client.B().Exists().Key("nest:id").Build()).AsInt64(); err != nil || n != 0 {
		t.Fatalf("the client does not send reads to the replica: %d, %v", n, err)
	}
	if _, err := s.Load(t.Context(), "id"); err != nil {
		t.Errorf("Load: %v", err)
	}
	wantListed(t, s, "", "id")
	wantListed(t, s, "user:1", "id")
}
