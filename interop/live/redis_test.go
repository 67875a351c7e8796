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
	server := servers.StartRedis(t, servers.RedisOptions{Password: "password-of-the-server"})
	at := url.URL{Scheme: "redis", User: url.UserPassword("", server.Password()), Host: server.Addr()}
	return nodeSettings{Kind: "connect-redis", URL: at.String(), Prefix: s.prefix}, func(ctx context.Context) opened {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, Password: server.Password()})
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
