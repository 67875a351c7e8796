package stores

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/redisstore"
)

// Redis keeps sessions in one Redis server.
func Redis(ctx context.Context) (*Sessions, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv("REDIS_ADDRESS")}})
	if err != nil {
		return nil, err
	}
	kept, err := redisstore.New(ctx, redisstore.Config{Client: client})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: kept})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{closer(client.Close), kept}}, nil
}

// SentinelClient connects to the primary that the sentinels name.
func SentinelClient(sentinels ...string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: sentinels, // "10.0.0.1:26379", …
		Sentinel:    rueidis.SentinelOption{MasterSet: "sessions", TopologyRefreshInterval: 5 * time.Second},
	})
}

// ClusterClient connects to a Cluster; one address of it is enough to begin with.
func ClusterClient(nodes ...string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress:      nodes,
		ShuffleInit:      true,
		ConnWriteTimeout: 3 * time.Second, // the connection to a node that hangs is dropped after this
	})
}

// RedisWithNode shares the sessions of a Node application on connect-redis 9.
func RedisWithNode(ctx context.Context, client rueidis.Client) (*Sessions, error) {
	kept, err := redisstore.New(ctx, redisstore.Config{Client: client, Express: true, OwnerOf: session.OwnerOf})
	if err != nil {
		return nil, err
	}
	cfg := express.Config(os.Getenv("SESSION_SECRET"))
	cfg.Store = kept
	sessions, err := session.New[Account](cfg)
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{kept}}, nil
}

// closer is a Close that cannot fail.
type closer func()

func (c closer) Close() error {
	c()
	return nil
}
