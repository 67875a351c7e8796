package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// process is a server's.
type process interface {
	Addr() string
	freezer
}

// freezer is a process that can be paused.
type freezer interface {
	Freeze()
	Thaw()
}

// backend is what the nodes share.
type backend struct {
	setup   setup
	servers []process // those that a node connects to
	data    []freezer // those that freeze when the store does
	inside  bool      // the servers are in the nodes
	fails   bool      // a freeze is a failover, after which the last writes may be lost
	special string    // the name of what only this store does; "": nothing
	lossy   bool      // the last writes before special may be lost
	do      func(ctx context.Context, hold time.Duration) error

	// leader changes when another server takes the writes. A sentinel decides that also by itself, on a
	// machine that is too busy to answer in time.
	leader func(ctx context.Context) (string, error)
}

// stores start a store for a test.
var stores = map[string]func(t testing.TB) backend{
	"redis": func(t testing.TB) backend {
		r := servers.StartRedis(t, servers.RedisOptions{AppendOnly: "always"})
		return backend{setup: setup{Store: "redis", Addrs: []string{r.Addr()}}, servers: []process{r}, data: []freezer{r}}
	},
	"sentinel":      startSentinel,
	"redis-cluster": startCluster,
	"postgres": func(t testing.TB) backend {
		p := servers.StartPostgres(t, servers.PostgresOptions{Durable: true})
		return backend{setup: setup{Store: "postgres", URL: p.NewDatabase(t)}, servers: []process{p}, data: []freezer{p}}
	},
	"nats":     startNATS,
	"embedded": func(testing.TB) backend { return backend{setup: setup{Store: "embedded"}, inside: true} },
}

func storeNames() []string { return slices.Sorted(maps.Keys(stores)) }

// startSentinel: a master is killed, and a replica takes over. With min-replicas-to-write a master
// that hung accepts nothing that would be lost.
func startSentinel(t testing.TB) backend {
	s := servers.StartSentinel(t, servers.SentinelOptions{
		Replicas: 2, AppendOnly: "always", Extra: []string{"min-replicas-to-write 1", "min-replicas-max-lag 2"},
	})
	b := backend{setup: setup{Store: "redis", Addrs: s.Addrs(), Master: s.MasterName}, fails: true, special: "Sentinel fails over", lossy: true}
	all := append([]*servers.Redis{s.Master}, s.Replicas...)
	for _, r := range all {
		b.servers = append(b.servers, r)
	}
	for _, r := range s.Sentinels {
		b.servers = append(b.servers, r)
	}
	b.data = []freezer{s.Master}
	b.leader = func(ctx context.Context) (masters string, err error) { // as each sentinel has it
		for _, one := range s.Sentinels {
			answer, err := one.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.MasterName)
			if err != nil {
				return "", err
			}
			masters += fmt.Sprint(answer)
		}
		return masters, nil
	}
	b.do = func(ctx context.Context, _ time.Duration) error {
		before, err := s.MasterAddr(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(r *servers.Redis) bool { return r.Addr() == before })
		if i < 0 {
			return fmt.Errorf("the master is at %s, where no server is", before)
		}
		all[i].Kill()
		defer all[i].Restart()
		return poll(ctx, "a replica is the master", func() bool {
			addr, err := s.MasterAddr(ctx)
			return err == nil && addr != before
		})
	}
	return b
}

// startCluster: slots with sessions move from one server to another.
func startCluster(t testing.TB) backend {
	c := servers.StartRedisCluster(t, servers.ClusterOptions{Extra: []string{"appendonly yes", "appendfsync always"}})
	b := backend{setup: setup{Store: "redis", Addrs: c.Addrs()}, special: "slots move"}
	for _, r := range c.Nodes {
		b.servers, b.data = append(b.servers, r), append(b.data, r)
	}
	b.do = func(ctx context.Context, hold time.Duration) error {
		for until, n := time.Now().Add(hold), 0; n == 0 || time.Now().Before(until); {
			moved, err := moveSlot(ctx, c.Nodes)
			if err != nil || ctx.Err() != nil {
				return cmp.Or(err, ctx.Err())
			}
			if moved {
				n++
			} else {
				wait(ctx, 10*time.Millisecond)
			}
		}
		return nil
	}
	return b
}

// moveSlot moves the slot of any key from the server with the most keys to the next. It reports false if
// there is no key.
func moveSlot(ctx context.Context, nodes []*servers.Redis) (moved bool, err error) {
	ask := func(r *servers.Redis, command ...string) string {
		answer, err := r.Do(ctx, command...)
		if err != nil {
			return "error: " + err.Error()
		}
		if answer == nil {
			return ""
		}
		return fmt.Sprint(answer)
	}
	most, at := 0, 0
	for i, n := range nodes {
		if keys, _ := strconv.Atoi(ask(n, "DBSIZE")); keys > most {
			most, at = keys, i
		}
	}
	from, to := nodes[at], nodes[(at+1)%len(nodes)]
	key := ask(from, "RANDOMKEY")
	if key == "" {
		return false, nil
	}
	slot, fromID, toID := ask(from, "CLUSTER", "KEYSLOT", key), ask(from, "CLUSTER", "MYID"), ask(to, "CLUSTER", "MYID")
	said := []string{ask(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID), ask(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)}
	for {
		answer, err := from.Do(ctx, "CLUSTER", "GETKEYSINSLOT", slot, "10")
		keys, _ := answer.([]any)
		if err != nil || len(keys) == 0 {
			break
		}
		for _, key := range keys {
			said = append(said, ask(from, "MIGRATE", "127.0.0.1", to.Port(), fmt.Sprint(key), "0", "5000"))
		}
	}
	said = append(said, ask(to, "CLUSTER", "SETSLOT", slot, "NODE", toID))
	for _, n := range nodes {
		said = append(said, ask(n, "CLUSTER", "SETSLOT", slot, "NODE", toID))
	}
	for _, s := range said {
		if s != "OK" && s != "NOKEY" {
			return false, fmt.Errorf("slot %s does not move: %s", slot, strings.Join(said, ", "))
		}
	}
	return true, nil
}

// startNATS: the leader of three is killed and restarted.
func startNATS(t testing.TB) backend {
	all := natsserver.Start(t, 3, servers.NATSOptions{})
	var urls []string
	b := backend{special: "the NATS leader dies"}
	for _, s := range all {
		b.servers, b.data = append(b.servers, s), append(b.data, s)
		urls = append(urls, s.URL())
	}
	b.setup = setup{Store: "nats", URL: strings.Join(urls, ",")}
	b.do = func(ctx context.Context, hold time.Duration) error {
		i, err := leaderAt(ctx, b.setup.URL)
		if err != nil {
			return err
		}
		all[i].Kill()
		defer all[i].Restart()
		select {
		case <-ctx.Done():
		case <-time.After(hold):
		}
		return nil
	}
	return b
}

// leaderAt returns which of the servers leads the bucket.
func leaderAt(ctx context.Context, urls string) (i int, err error) {
	conn, err := nats.Connect(urls)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	name, err := leader(ctx, conn)
	if err == nil {
		_, err = fmt.Sscanf(name, "node%d", &i)
	}
	return i, err
}

// leader returns the name of the server that leads the bucket.
func leader(ctx context.Context, conn *nats.Conn) (string, error) {
	js, err := conn.JetStream(nats.Context(ctx))
	if err != nil {
		return "", err
	}
	info, err := js.StreamInfo("KV_" + natsstore.DefaultBucket)
	if err != nil || info.Cluster == nil {
		return "", cmp.Or(err, errors.New("no cluster has the bucket"))
	}
	return info.Cluster.Leader, nil
}

// poll waits until the condition holds.
func poll(ctx context.Context, what string, holds func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
	return nil
}
