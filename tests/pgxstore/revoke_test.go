package pgxstore_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/tests/internal/relay"
	"github.com/nestsession/session/tests/internal/revoking"
)

// Ending n sessions of an owner costs one round trip for the listing, and less than one
// for each session, because writes are batched, and so are deletes. Under the preset a session
// takes one of each.
func TestRoundTripsOfRevokingAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	secret := "a secret of this test"
	for name, c := range map[string]session.Config{"native": {Secrets: []string{secret}}, "express": express.Config(secret)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := relay.New(t, server.Addr())
			config, err := pgxpool.ParseConfig(p.Through(server.NewDatabase(t)))
			if err != nil {
				t.Fatal(err)
			}
			config.MaxConns = 1 // each connection learns the statements by itself
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			of := pgxstore.Config{Create: true}
			if name == "express" {
				of = layouts["ConnectPgSimple"]
			}
			c.Store = newStore(t, pool, of)
			m := revoking.NewManager(t, c)
			revoking.WantFewRoundTrips(t, m, p.RoundTrips)
		})
	}
}
