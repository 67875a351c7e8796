package redisstore_test

import (
	"fmt"
	"testing"

	"github.com/nestsession/session"
	preset "github.com/nestsession/session/express"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/tests/internal/relay"
	"github.com/nestsession/session/tests/internal/revoking"
)

// Ending n sessions of an owner costs n+1 round trips at most: those of the listing, and
// the writes are batched.
func TestRoundTripsOfRevokingAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]redisstore.Config{"native": {}, "express": {Express: true, OwnerOf: session.OwnerOf}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := relay.New(t, server.Addr())
			c.Client = connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p}))
			c.Prefix = newPrefix()
			cfg := session.Config{Secrets: []string{"a secret of this test"}}
			if c.Express {
				cfg = preset.Config(cfg.Secrets...)
			}
			cfg.Store = newStore(t, c)
			m := revoking.NewManager(t, cfg)
			// At first the server learns the scripts. Calls that a busy machine runs one after the other share no trip.
			const n, rounds = 30, 10
			for round := range rounds {
				trips := revoking.RoundTrips(t, m, fmt.Sprint("user:", round), n, p.RoundTrips)
				if trips <= n+1 {
					return
				}
				t.Logf("round %d: %d round trips for %d sessions", round, trips, n)
			}
			t.Errorf("more than %d round trips for %d sessions in each of %d rounds", n+1, n, rounds)
		})
	}
}
