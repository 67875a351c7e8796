package pgxstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/tests/internal/relay"
)

// A read is one round trip, and so is each write, once a connection knows the statements.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := relay.New(t, server.Addr())
			config, err := pgxpool.ParseConfig(p.Through(server.NewDatabase(t)) + "&pool_max_conns=1")
			if err != nil {
				t.Fatal(err)
			}
			// Otherwise a connection that has been idle for a second is asked whether it is there.
			config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			s := newStore(t, pool, c)
			ctx := t.Context()
			for round := range 4 {
				r := record("a")
				for _, step := range []struct {
					what string
					do   func() error
				}{
					{"create", func() (err error) { r.Version, err = s.Create(ctx, r); return err }},
					{"load", func() error { _, err := s.Load(ctx, r.ID); return err }},
					{"update", func() (err error) { r.Version, err = s.Update(ctx, r); return err }},
					{"touch", func() error { return s.Touch(ctx, r.ID, r.Expires.Add(time.Minute)) }},
					{"delete", func() error { return s.Delete(ctx, r.ID) }},
				} {
					before := p.RoundTrips()
					if err := step.do(); err != nil {
						t.Fatalf("%s: %v", step.what, err)
					}
					if n := p.RoundTrips() - before; round > 0 && n != 1 {
						t.Errorf("%s: %d round trips, want 1", step.what, n)
					}
				}
			}
		})
	}
}
