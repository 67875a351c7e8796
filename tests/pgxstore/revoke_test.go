package pgxstore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
)

// Ending n sessions of an owner costs one round trip for the listing, and less than one
// for each write, because writes are batched, and so are deletes.
func TestRoundTripsOfRevokingAnOwner(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	p := newProxy(t, server.Addr())
	pool, err := pgxpool.New(t.Context(), p.through(server.NewDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m, err := session.New[struct{ N int }](session.Config{
		Secrets: []string{"a secret of this test"}, Store: newStore(t, pool, pgxstore.Config{Create: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for round := range 2 { // at first the connections learn the statements
		const n = 30
		for i := range n {
			r := httptest.NewRequest(http.MethodGet, "https://shop.test/", nil)
			m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[struct{ N int }]) {
				s.SetOwner(fmt.Sprint("user:", round))
				s.Update(func(d *struct{ N int }) { d.N = i + 1 })
			})(httptest.NewRecorder(), r)
		}
		before := p.turns.Load()
		ended, err := m.RevokeOwner(t.Context(), fmt.Sprint("user:", round))
		if ended != n || err != nil {
			t.Fatalf("RevokeOwner: %d, %v", ended, err)
		}
		const writes = 1 // of a session: a tombstone, and a delete
		if turns := p.turns.Load() - before; round > 0 && turns > writes*n+1 {
			t.Errorf("%d round trips for %d sessions", turns, n)
		} else {
			t.Logf("%d round trips for %d sessions", turns, n)
		}
	}
}
