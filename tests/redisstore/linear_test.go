package redisstore_test

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store/storetest/linear"
)

func TestLinearizableSingle(t *testing.T) {
	t.Parallel()
	linearizable(t, single(servers.SharedRedis(t)))
}

func TestLongLinearizableCluster(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster()
	linearizable(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})
}

func linearizable(t *testing.T, o rueidis.ClientOption) {
	all := clients(t, o)
	t.Run("Native", func(t *testing.T) {
		t.Parallel()
		linear.Check(t, opener(all, redisstore.Config{}, "%s"), linear.Options{})
	})
	t.Run("Express", func(t *testing.T) {
		t.Parallel()
		linear.Check(t, opener(all, expressConfig, "%s"), linear.Options{Resolution: expressOptions.Resolution})
	})
}
