package sizing_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

// used returns how much memory the server uses for its keys and their tables.
func used(b *testing.B, r *servers.Redis) int64 {
	b.Helper()
	info, err := r.Info(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(info["used_memory"], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func BenchmarkRedis(b *testing.B) {
	for name, c := range map[string]struct {
		config redisstore.Config
		owned  bool
	}{
		"native":              {redisstore.Config{}, false},
		"native with owners":  {redisstore.Config{}, true},
		"express":             {redisstore.Config{Express: true}, false},
		"express with owners": {redisstore.Config{Express: true, OwnerOf: session.OwnerOf}, true},
	} {
		b.Run(name, func(b *testing.B) {
			r := servers.StartRedis(b, servers.RedisOptions{})
			client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr()}})
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			c.config.Client = client
			s, err := redisstore.New(b.Context(), c.config)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			before := used(b, r)
			fill(b, s, c.owned)
			report(b, before, used(b, r), "B/session")
			churn(b, s)
			b.ReportMetric(float64(used(b, r)-before)/sessions, "B/session-after-use")
		})
	}
}
