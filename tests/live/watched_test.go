package live_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store/sqlstore"
)

// inRedisWatched is Redis with a store that is notified of what Node writes.
func inRedisWatched(t *testing.T, _ setup) (nodeSettings, func(context.Context) opened) {
	server := servers.StartRedis(t, servers.RedisOptions{Password: redisPassword})
	return nodeSettings{Kind: "connect-redis", URL: redisURL(server.Addr())}, func(ctx context.Context) opened {
		option := rueidis.ClientOption{InitAddress: []string{server.Addr()}, Password: server.Password()}
		kept, err := redisstore.Open(ctx, option, redisstore.Config{Express: true, OwnerOf: session.OwnerOf})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return opened{kept, func(ctx context.Context) error { _, err := kept.TrimOwners(ctx); return err }}
	}
}

// inPostgresWatched is connect-pg-simple's table with a trigger on it.
func inPostgresWatched(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	return nodeSettings{Kind: "connect-pg-simple", URL: dsn}, func(ctx context.Context) opened {
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			t.Fatal("the pool does not open")
		}
		t.Cleanup(pool.Close)
		kept, err := pgxstore.New(ctx, pool, pgxstore.Config{Layout: sqlstore.ConnectPgSimple, Create: true, OwnerOf: session.OwnerOf, OwnerColumn: s.ownerColumn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return opened{kept, func(ctx context.Context) error { _, err := kept.Sweep(ctx); return err }}
	}
}
