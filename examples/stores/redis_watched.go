package stores

import (
	"context"
	"io"
	"os"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store/nearcache"
)

// RedisWatched keeps sessions in one Redis server, and those that are read often in the
// node's memory as well.
func RedisWatched(ctx context.Context) (*Sessions, error) {
	kept, err := redisstore.Open(ctx, rueidis.ClientOption{InitAddress: []string{os.Getenv("REDIS_ADDRESS")}}, redisstore.Config{})
	if err != nil {
		return nil, err
	}
	near, err := nearcache.New(kept, nearcache.Config{})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: near})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{kept, near, sessions}}, nil
}
