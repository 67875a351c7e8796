package pgxstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/tests/internal/relay"
)

// listeners counts the connections to the database that listen.
func listeners(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	err := pool.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND (query LIKE '%txid_snapshot_xip%' OR query LIKE 'SELECT concat_ws%') AND pid <> pg_backend_pid()`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// There is one connection for any number of watchers, and none without watchers.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	pool := newPool(t, dsn)
	s := newStore(t, pool, pgxstore.Config{Create: true, Heartbeat: 50 * time.Millisecond})
	for round := range 2 {
		if n := listeners(t, pool); n != 0 {
			t.Fatalf("round %d: %d connections listen for nobody", round, n)
		}
		recorders := []*recorder{listenTo(t, s), listenTo(t, s), listenTo(t, s)}
		for _, e := range recorders {
			e.take()
		}
		if n := listeners(t, pool); n != 1 {
			t.Errorf("round %d: %d connections listen, want 1", round, n)
		}
		create(t, s, record("a"))
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for _, e := range recorders {
			e.only("a deletion")
			e.stop()
			if err := <-e.done; !errors.Is(err, context.Canceled) {
				t.Errorf("Watch returned %v", err)
			}
		}
		eventually(t, "no connection any more", func() bool { return listeners(t, pool) == 0 })
	}
}

// A node receives notifications even if every connection of its pool is in use.
func TestBusyPool(t *testing.T) {
	t.Parallel()
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	writer := newStore(t, newPool(t, dsn), pgxstore.Config{Create: true, Heartbeat: 50 * time.Millisecond})
	pool := newPool(t, dsn, "&pool_max_conns=1")
	s := newStore(t, pool, pgxstore.Config{Heartbeat: 50 * time.Millisecond})
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	e := listenTo(t, s)
	create(t, writer, record("a"))
	if err := writer.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	e.only("a deletion")
}

// The connection that listens is opened like those of the pool.
func TestHooks(t *testing.T) {
	t.Parallel()
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password := config.ConnConfig.Password
	config.ConnConfig.Password = "expired"
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.Password = password // a token that lasts for minutes
		return nil
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS app; SET search_path = app; LISTEN other")
		return err
	}
	config.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := newStore(t, pool, pgxstore.Config{Create: true, Heartbeat: 50 * time.Millisecond})
	e := listenTo(t, s)
	create(t, s, record("a"))
	exec(t, pool, "DELETE FROM app.nest_sessions; NOTIFY other, 'hello'")
	e.only("a deletion")
	if lost := e.missed(); lost != 1 {
		t.Errorf("%d events to recheck everything, want once at the start", lost)
	}
}

// While there is no server, Watch waits, and ends with its context.
func TestEndBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	p := relay.New(t, server.Addr())
	s := newStore(t, newPool(t, p.Through(server.NewDatabase(t))), pgxstore.Config{Create: true})
	p.Silence(true)
	ctx, stop := context.WithCancel(t.Context())
	ended, closed := make(chan error, 1), make(chan error, 1)
	heard := func(ev store.Event) { t.Errorf("got %+v", ev) }
	go func() { ended <- s.Watch(ctx, heard) }()
	go func() { closed <- s.Watch(t.Context(), heard) }()
	wait(t, 50*time.Millisecond)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch whose context ended: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-closed; !errors.Is(err, store.ErrClosed) {
		t.Errorf("Watch of a store that was closed: %v", err)
	}
}

// Close ends every Watch, also while there is no server, and leaves no goroutine. The test
// does not run in parallel, because it counts goroutines.
func TestNothingIsLeft(t *testing.T) {
	server := servers.StartPostgres(t, servers.PostgresOptions{})
	dsn := server.NewDatabase(t)
	for name, fault := range map[string]func(p *relay.Relay){
		"whole":     func(*relay.Relay) {},
		"cut":       func(p *relay.Relay) { p.Silence(true); p.Cut() },
		"half-open": func(p *relay.Relay) { p.Silence(true) },
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			p := relay.New(t, server.Addr())
			pool, err := pgxpool.New(t.Context(), p.Through(dsn))
			if err != nil {
				t.Fatal(err)
			}
			s := newStore(t, pool, pgxstore.Config{Create: true, Heartbeat: 50 * time.Millisecond})
			near, err := nearcache.New(s, nearcache.Config{})
			if err != nil {
				t.Fatal(err)
			}
			e := listenTo(t, s)
			e.take()
			fault(p)
			began := time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("Close took %v", took)
			}
			if err := <-e.done; !errors.Is(err, store.ErrClosed) {
				t.Errorf("Watch returned %v", err)
			}
			if err := s.Watch(t.Context(), func(store.Event) {}); !errors.Is(err, store.ErrClosed) {
				t.Errorf("Watch afterwards: %v", err)
			}
			if err := near.Close(); err != nil {
				t.Error(err)
			}
			pool.Close()
			p.Close()
			eventually(t, "no goroutine any more", func() bool { return goleak.Find(before) == nil })
		})
	}
}
