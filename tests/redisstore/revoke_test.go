package redisstore_test

import (
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
			revoking.WantFewRoundTrips(t, m, p.RoundTrips)
		})
	}
}
