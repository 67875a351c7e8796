//go:build unix

package servers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is the number of hash slots of a Redis Cluster.
const slots = 16384

// ClusterOptions configure a Redis Cluster.
type ClusterOptions struct {
	// Shards is the number of masters, which share the slots. 0: 3, the smallest number with which
	// a replica can take over from its master.
	Shards int

	// Replicas is the number of replicas of each master. 0: none.
	Replicas int

	// Password is the password for clients and nodes; "": none.
	Password string

	// Extra are additional lines of each node's redis.conf.
	Extra []string
}

// RedisCluster is a running Redis Cluster.
type RedisCluster struct {
	// Nodes are its servers: at first the masters, and then the replicas of the first master, of
	// the second and so on.
	Nodes []*Redis

	shards, replicas int
}

// StartRedisCluster starts a Redis Cluster for the test and waits until every node reports that all
// slots are served.
func StartRedisCluster(t testing.TB, o ClusterOptions) *RedisCluster {
	t.Helper()
	if o.Shards == 0 {
		o.Shards = 3
	}
	c := &RedisCluster{shards: o.Shards, replicas: o.Replicas}
	for range o.Shards * (1 + o.Replicas) {
		c.Nodes = append(c.Nodes, StartRedis(t, RedisOptions{Password: o.Password, Extra: o.Extra, cluster: true}))
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	if err := c.form(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// Addrs are the addresses of all nodes.
func (c *RedisCluster) Addrs() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Addr())
	}
	return all
}

// Replica is the n-th replica of the shard's first master, both counted from 0.
func (c *RedisCluster) Replica(shard, n int) *Redis {
	return c.Nodes[c.shards+shard*c.replicas+n]
}

// form makes the nodes a cluster.
func (c *RedisCluster) form(ctx context.Context) error {
	for i, node := range c.Nodes {
		// With different epochs, the nodes need not agree on them first.
		if _, err := node.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return fmt.Errorf("servers: cluster: %w", err)
		}
		if i < c.shards {
			if err := c.shareOut(ctx, i); err != nil {
				return err
			}
		}
		for _, other := range c.Nodes[:i] {
			if _, err := node.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", other.Port()); err != nil {
				return fmt.Errorf("servers: cluster: %w", err)
			}
		}
	}
	if err := c.await(ctx, "know each other", c.isMet); err != nil {
		return err
	}
	for shard := range c.shards {
		for n := range c.replicas {
			if err := c.replicate(ctx, c.Replica(shard, n), c.Nodes[shard]); err != nil {
				return err
			}
		}
	}
	return c.await(ctx, "be whole", c.isWhole)
}

// shareOut assigns the shard's part of the slots to its master. (A range in one command would need
// Redis 7.)
func (c *RedisCluster) shareOut(ctx context.Context, shard int) error {
	command := []string{"CLUSTER", "ADDSLOTS"}
	for slot := slots * shard / c.shards; slot < slots*(shard+1)/c.shards; slot++ {
		command = append(command, strconv.Itoa(slot))
	}
	if _, err := c.Nodes[shard].Do(ctx, command...); err != nil {
		return fmt.Errorf("servers: cluster: %w", err)
	}
	return nil
}

func (c *RedisCluster) replicate(ctx context.Context, replica, master *Redis) error {
	id, err := master.Do(ctx, "CLUSTER", "MYID")
	if err != nil {
		return fmt.Errorf("servers: cluster: %w", err)
	}
	name, _ := id.(string)
	if _, err := replica.Do(ctx, "CLUSTER", "REPLICATE", name); err != nil {
		return fmt.Errorf("servers: cluster: %w", err)
	}
	return nil
}

// isMet reports whether the node knows all other nodes.
func (c *RedisCluster) isMet(ctx context.Context, node *Redis) bool {
	answer, err := node.Do(ctx, "CLUSTER", "NODES")
	text, _ := answer.(string)
	return err == nil && strings.Count(text, "\n") == len(c.Nodes) &&
		!strings.Contains(text, "handshake") && strings.Count(text, " connected") == len(c.Nodes)
}

// isWhole reports whether the node sees every slot served and knows every replica, and has its
// master's data if it is a replica.
func (c *RedisCluster) isWhole(ctx context.Context, node *Redis) bool {
	answer, err := node.Do(ctx, "CLUSTER", "INFO")
	text, _ := answer.(string)
	if err != nil || fields(text)["cluster_state"] != "ok" || fields(text)["cluster_slots_assigned"] != strconv.Itoa(slots) {
		return false
	}
	answer, err = node.Do(ctx, "CLUSTER", "NODES")
	text, _ = answer.(string)
	if err != nil || strings.Count(text, "slave ") != c.shards*c.replicas {
		return false
	}
	info, err := node.Info(ctx)
	return err == nil && (info["role"] != "slave" || info["master_link_status"] == "up")
}

// await waits until the condition holds for every node.
func (c *RedisCluster) await(ctx context.Context, what string, holds func(context.Context, *Redis) bool) error {
	for _, node := range c.Nodes {
		for !holds(ctx, node) {
			select {
			case <-ctx.Done():
				return errors.New("servers: the nodes of the cluster did not come to " + what + " within " + maxWait.String())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
