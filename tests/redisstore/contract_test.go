package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

// peers is how many instances beside the first, each with connections of its own.
const peers = 2

func TestContractSingle(t *testing.T) {
	t.Parallel()
	contract(t, single(servers.SharedRedis(t)))
}

func TestContractCluster(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster()
	contract(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})
}

func TestLongContractSentinel(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartSentinel(t, servers.SentinelOptions{Password: "sentinel-password"})
	o := rueidis.ClientOption{
		InitAddress: sentinel.Addrs(),
		Password:    sentinel.Master.Password(),
		Sentinel:    rueidis.SentinelOption{MasterSet: sentinel.MasterName},
	}
	// The other layout's commands are the same as with a single server.
	storetest.Run(t, opener(clients(t, o), redisstore.Config{}, "%s"), nativeOptions)
}

// clients are one for each instance of the store.
func clients(t *testing.T, o rueidis.ClientOption) (all []rueidis.Client) {
	for range 1 + peers {
		all = append(all, connect(t, o))
	}
	return all
}

// contract runs the kit in both layouts.
func contract(t *testing.T, o rueidis.ClientOption) {
	all := clients(t, o)
	t.Run("Native", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, opener(all, redisstore.Config{}, "%s"), nativeOptions)
	})
	t.Run("Express", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, opener(all, expressConfig, "%s"), expressOptions)
	})
}

var (
	expressConfig = redisstore.Config{Express: true, OwnerOf: ownerOf, TTL: redisstore.NoTTL}

	without = map[storetest.Capability]string{
		storetest.Watcher: "callers poll",
		storetest.Sweeper: "Redis removes what has expired by itself",
	}
	nativeOptions  = storetest.Options{Without: without, Parallel: true}
	expressOptions = storetest.Options{
		Without: map[storetest.Capability]string{
			storetest.Watcher:        without[storetest.Watcher],
			storetest.Sweeper:        without[storetest.Sweeper],
			storetest.UniqueVersions: "the version is a digest of what is stored",
		},
		Resolution: time.Second + 100*time.Millisecond, // seconds, and what a round trip takes
		Parallel:   true,
	}
)

// opener opens stores on keys of their own, one a client, with a prefix in the format.
func opener(clients []rueidis.Client, c redisstore.Config, format string) func(t *testing.T) storetest.Opened {
	return func(t *testing.T) storetest.Opened {
		c := c
		c.Prefix = fmt.Sprintf(format, newPrefix())
		var all []store.Store
		for _, client := range clients {
			c.Client = client
			s := newStore(t, c)
			if c.Express {
				all = append(all, framed{s})
			} else {
				all = append(all, s)
			}
		}
		return storetest.Opened{Store: all[0], Peers: all[1:]}
	}
}
