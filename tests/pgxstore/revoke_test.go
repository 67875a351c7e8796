package pgxstore_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/tests/internal/relay"
	"github.com/nestsession/session/tests/internal/revoking"
)

// Ending n sessions of an owner costs one round trip for the listing, and less than one
// for each write, because writes are batched, and so are deletes.
func TestRoundTripsOfRevokingAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	p := relay.New(t, server.Addr())
	pool, err := pgxpool.New(t.Context(), p.Through(server.NewDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := revoking.NewManager(t, session.Config{
		Secrets: []string{"a secret of this test"}, Store: newStore(t, pool, pgxstore.Config{Create: true}),
	})
	for round := range 2 { // at first the connections learn the statements
		const n = 30
		const writes = 1 // of a session: a tombstone, and a delete
		if trips := revoking.RoundTrips(t, m, fmt.Sprint("user:", round), n, p.RoundTrips); round > 0 && trips > writes*n+1 {
			t.Errorf("%d round trips for %d sessions", trips, n)
		}
	}
}
