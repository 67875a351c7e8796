package stores_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// handedOver waits until the system has all that the server wrote. Under everysec a
// disk that cannot keep up makes that wait for up to two seconds.
func handedOver(t *testing.T, r *servers.Redis) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(2 * time.Minute)
	for {
		info, err := r.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := info["aof_buffer_length"]; left == "" || left == "0" {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the server does not write its file")
		}
	}
}

// The page's table of what a Redis that is killed loses, by persistence.
func TestWhatAKilledRedisLoses(t *testing.T) {
	t.Parallel()
	const sessions = 200
	for name, c := range map[string]struct {
		options servers.RedisOptions
		kept    int
	}{
		"none":     {servers.RedisOptions{}, 0},
		"snapshot": {servers.RedisOptions{Extra: []string{"save 3600 1"}}, 0}, // killed before the first
		"everysec": {servers.RedisOptions{AppendOnly: "everysec"}, sessions},
		"always":   {servers.RedisOptions{AppendOnly: "always"}, sessions},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servers.StartRedis(t, c.options)
			client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr()}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			s, err := redisstore.New(t.Context(), redisstore.Config{Client: client})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			for i := range sessions {
				r := store.Record{ID: fmt.Sprint(i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
				if _, err := s.Create(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			handedOver(t, r)
			r.Kill()
			r.Restart()
			kept := 0
			for i := range sessions {
				switch _, err := s.Load(t.Context(), fmt.Sprint(i)); {
				case err == nil:
					kept++
				case !errors.Is(err, store.ErrNotFound):
					t.Fatal(err)
				}
			}
			if kept != c.kept {
				t.Errorf("%d of %d sessions are there after the restart, want %d", kept, sessions, c.kept)
			}
		})
	}
}
