package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// A replica takes the place of a primary that is frozen. What ends there has ended on each
// node, after MaxStale at the latest, and sessions are read from memory again.
func TestTakeover(t *testing.T) {
	t.Parallel()
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		sentinel := servers.StartSentinel(t, servers.SentinelOptions{})
		takeover(t, rueidis.ClientOption{
			InitAddress: sentinel.Addrs(),
			Sentinel:    rueidis.SentinelOption{MasterSet: sentinel.MasterName},
		}, []*servers.Redis{sentinel.Master}, sentinel.Replicas)
	})
	t.Run("Cluster", func(t *testing.T) {
		t.Parallel()
		cluster := servers.StartRedisCluster(t, servers.ClusterOptions{Replicas: 1})
		var replicas []*servers.Redis
		for shard := range 3 {
			replicas = append(replicas, cluster.Replica(shard, 0))
		}
		takeover(t, rueidis.ClientOption{InitAddress: cluster.Addrs()}, cluster.Nodes[:3], replicas)
	})
}

func takeover(t *testing.T, o rueidis.ClientOption, primaries, replicas []*servers.Redis) {
	other := open(t, o, redisstore.Config{})
	n := near(t, open(t, o, redisstore.Config{}))
	hit := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		hits := n.Stats().Hits
		_, err := n.Load(ctx, "id")
		return err == nil && n.Stats().Hits > hits
	}
	mustCreate(t, other, owned("id", "", in(time.Hour)))
	eventually(t, "it is read from memory", hit)
	var primary *servers.Redis
	for i, p := range primaries {
		if do(t, p, "DBSIZE") == "0" {
			continue
		}
		primary = p
		eventually(t, "the replica has it", func() bool { return do(t, replicas[i], "DBSIZE") == "1" })
	}
	primary.Freeze()
	defer primary.Thaw()
	eventually(t, "the session is ended where the replica has taken over", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return other.Delete(ctx, "id") == nil
	})
	ended := time.Now()
	eventually(t, "it has ended here", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		asked := time.Now()
		_, err := n.Load(ctx, "id")
		if err == nil && asked.Sub(ended) > nearcache.DefaultMaxStale {
			t.Errorf("answered %v after its end", asked.Sub(ended))
		}
		return errors.Is(err, store.ErrNotFound)
	})
	t.Logf("it had ended here after %v", time.Since(ended))
	mustCreate(t, other, owned("id", "", in(time.Hour)))
	eventually(t, "a session is read from memory again", hit)
	// The heartbeat counts again: it is still read from memory after MaxStale.
	eventually(t, "for longer than MaxStale", func() bool {
		misses := n.Stats().Misses
		for until := time.Now().Add(nearcache.DefaultMaxStale + time.Second); time.Now().Before(until); {
			if !hit() || n.Stats().Misses != misses {
				return false
			}
			<-time.After(10 * time.Millisecond)
		}
		return true
	})
	t.Logf("all was well again %v after that", time.Since(ended))
}
