package live_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

func inRedis(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
	server := servers.StartRedis(t, servers.RedisOptions{Password: redisPassword})
	return nodeSettings{Kind: "connect-redis", URL: redisURL(server.Addr()), Prefix: s.prefix}, openRedis(t, s, server.Addr())
}

// inRedisCluster uses a prefix whose hash tag keeps all sessions in one slot.
func inRedisCluster(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
	addrs := servers.StartRedisCluster(t, servers.ClusterOptions{Password: redisPassword}).Addrs()
	node := nodeSettings{Kind: "connect-redis", URL: redisURL(addrs[0]), Prefix: s.prefix}
	for _, addr := range addrs {
		node.Nodes = append(node.Nodes, redisURL(addr))
	}
	return node, openRedis(t, s, addrs...)
}

const redisPassword = "password-of-the-server"

func redisURL(addr string) string {
	at := url.URL{Scheme: "redis", User: url.UserPassword("", redisPassword), Host: addr}
	return at.String()
}

func openRedis(t *testing.T, s setup, addrs ...string) func(context.Context) opened {
	return func(ctx context.Context) opened {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addrs, Password: redisPassword})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		kept, err := redisstore.New(ctx, redisstore.Config{Client: client, Express: true, Prefix: s.prefix, OwnerOf: session.OwnerOf})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return opened{kept, func(ctx context.Context) error { _, err := kept.TrimOwners(ctx); return err }}
	}
}
