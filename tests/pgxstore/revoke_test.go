package pgxstore_test

import (
	"fmt"
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
			// At first the connection learns the statements. Calls that a busy machine runs one after the other share no trip.
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
