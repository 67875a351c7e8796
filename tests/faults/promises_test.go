package faults

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/promises"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// TestPromises13To20: what the library promises about ids, logins, cookies and bookkeeping holds on
// each store, without the preset, with sealed data, and in the layouts of express-session's stores, with a
// manager for each participant, and with a cache at each node.
func TestPromises13To20(t *testing.T) {
	t.Parallel()
	keepPromises(t, map[string]func(t *testing.T) promises.Env{
		"Redis":              func(t *testing.T) promises.Env { return onRedis(t, redisstore.Config{}) },
		"connect-redis":      func(t *testing.T) promises.Env { return onRedis(t, expressRedis) },
		"pgxstore":           func(t *testing.T) promises.Env { return onPgx(t, pgxstore.Config{}) },
		"connect-pg-simple":  func(t *testing.T) promises.Env { return onPgx(t, expressPgx) },
		"PostgreSQL":         func(t *testing.T) promises.Env { return onSQL(t, sqlstore.Postgres, sqlstore.Native) },
		"MariaDB":            func(t *testing.T) promises.Env { return onSQL(t, sqlstore.MySQL, sqlstore.Native) },
		"its express layout": func(t *testing.T) promises.Env { return onSQL(t, sqlstore.MySQL, sqlstore.ExpressMySQLSession) },
		"SQLite":             func(t *testing.T) promises.Env { return onSQL(t, sqlstore.SQLite, sqlstore.Native) },
		"Redis, cached":      func(t *testing.T) promises.Env { return cached(onWatchedRedis(t, redisstore.Config{})) },
		"a Redis Cluster":    onCluster,
		"NATS":               onNATS,
		"Redis, sealed":      func(t *testing.T) promises.Env { return sealed(cached(onWatchedRedis(t, redisstore.Config{}))) },
	})
}

// TestLongPromises13To20 has the combinations of a store of TestPromises13To20 with what another one
// of its stores has, and the other layouts of SQLite.
func TestLongPromises13To20(t *testing.T) {
	t.Parallel()
	keepPromises(t, map[string]func(t *testing.T) promises.Env{
		"its connect layout":    func(t *testing.T) promises.Env { return onSQL(t, sqlstore.Postgres, sqlstore.ConnectPgSimple) },
		"connect-redis, cached": func(t *testing.T) promises.Env { return cached(onWatchedRedis(t, expressRedis)) },
		"pgxstore, cached":      func(t *testing.T) promises.Env { return cached(onPgx(t, pgxstore.Config{})) },
		"PostgreSQL, sealed":    func(t *testing.T) promises.Env { return sealed(onSQL(t, sqlstore.Postgres, sqlstore.Native)) },
		"connect-sqlite3":       func(t *testing.T) promises.Env { return onSQL(t, sqlstore.SQLite, sqlstore.ConnectSQLite3) },
		"better-sqlite3":        func(t *testing.T) promises.Env { return onSQL(t, sqlstore.SQLite, sqlstore.BetterSQLite3SessionStore) },
		"SQLite, sealed":        func(t *testing.T) promises.Env { return sealed(onSQL(t, sqlstore.SQLite, sqlstore.Native)) },
	})
}

func keepPromises(t *testing.T, envs map[string]func(t *testing.T) promises.Env) {
	for name, open := range envs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			env.Sample = true
			promises.All(t, env)
		})
	}
}

var (
	expressRedis = redisstore.Config{Express: true, OwnerOf: session.OwnerOf}
	expressPgx   = pgxstore.Config{Layout: sqlstore.ConnectPgSimple, OwnerColumn: "nest_owner"}
)

// heartbeat is short, because a cached node waits for the next heartbeat before it reads.
const heartbeat = 5 * time.Millisecond

var places atomic.Int64

// place returns a name of a table, or a prefix of keys, that no other test uses.
func place() string { return fmt.Sprintf("promises_%d", places.Add(1)) }

func onRedis(t *testing.T, c redisstore.Config) promises.Env {
	r := servers.SharedRedis(t)
	option := redisOption(r.Password(), r.Addr())
	return promises.Env{Express: c.Express, Store: func(t *testing.T) store.Store {
		c := c
		c.Prefix = place() + ":"
		return openRedisAs(t, option, c)
	}}
}

// onWatchedRedis is onRedis with stores that report changes.
func onWatchedRedis(t *testing.T, c redisstore.Config) promises.Env {
	r := servers.SharedRedis(t)
	option := redisOption(r.Password(), r.Addr())
	option.DisableCache = false
	return promises.Env{Express: c.Express, Store: func(t *testing.T) store.Store {
		c := c
		c.Prefix, c.Heartbeat = place()+":", heartbeat
		s, err := redisstore.Open(context.Background(), option, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}}
}

// onCluster is onRedis on a Cluster of three masters, where a session and the list of its owner's
// sessions are on different servers.
func onCluster(t *testing.T) promises.Env {
	option := redisOption("", servers.StartRedisCluster(t, servers.ClusterOptions{}).Addrs()...)
	return promises.Env{Store: func(t *testing.T) store.Store {
		return openRedisAs(t, option, redisstore.Config{Prefix: place() + ":"})
	}}
}

func onNATS(t *testing.T) promises.Env {
	s := natsserver.Start(t, 1, servers.NATSOptions{})[0]
	return promises.Env{Store: func(t *testing.T) store.Store {
		kept, err := natsstore.Open(context.Background(), s.URL(), natsstore.Config{Bucket: place(), Replicas: 1, Timeout: 10 * time.Minute},
			nats.PingInterval(time.Minute)) // a busy server is not a dead one
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return kept
	}}
}

func onPgx(t *testing.T, c pgxstore.Config) promises.Env {
	pool, err := pgxpool.New(context.Background(), servers.SharedPostgres(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return promises.Env{Express: c.Layout != sqlstore.Native, Store: func(t *testing.T) store.Store {
		c := c
		c.Table, c.Create, c.OwnerOf, c.Heartbeat = place(), true, session.OwnerOf, heartbeat
		s, err := pgxstore.New(context.Background(), pool, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}}
}

func onSQL(t *testing.T, d sqlstore.Dialect, layout sqlstore.Layout) promises.Env {
	var db *sql.DB
	switch d {
	case sqlstore.Postgres:
		db = openDB(t, "pgx", servers.SharedPostgres(t).NewDatabase(t))
	case sqlstore.MySQL:
		db = openDB(t, "mysql", servers.SharedMariaDB(t).NewDatabase(t))
	case sqlstore.SQLite:
		db = openDB(t, "sqlite", sqliteWaiting(t.TempDir()+"/sessions.db", time.Minute))
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	return promises.Env{Express: layout != sqlstore.Native, Store: func(t *testing.T) store.Store {
		c := sqlstore.Config{DB: db, Dialect: d, Layout: layout, Table: place(), Create: true}
		if layout != sqlstore.Native {
			c.OwnerOf = session.OwnerOf
		}
		s, err := sqlstore.New(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}}
}

// sealed has the managers seal the data.
func sealed(env promises.Env) promises.Env {
	env.Seal = session.SealOnly
	return env
}

// cached puts a cache in front of the store at each node.
func cached(env promises.Env) promises.Env {
	env.Node = func(t *testing.T, s store.Store) store.Store {
		c, err := nearcache.New(s, nearcache.Config{MaxStale: time.Hour}) // the cache is correct because of the events that it gets
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		ctx, cancel := context.WithCancel(context.Background())
		n := &notified{Cache: c}
		var watch sync.WaitGroup
		watch.Go(func() {
			w, _ := store.As[store.Watcher](c)
			_ = w.Watch(ctx, n.hear)
		})
		t.Cleanup(func() {
			cancel()
			watch.Wait()
		})
		return n
	}
	return env
}

// notified is a cache that was notified of all changes before it is read. The cache's own tests cover
// reads before that.
type notified struct {
	*nearcache.Cache

	mu    sync.Mutex
	whole time.Time // waits until the cache was notified of everything before the read
}

func (n *notified) Unwrap() store.Store { return n.Cache }

func (n *notified) hear(e store.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !e.Whole.IsZero() {
		n.whole = e.Whole
	}
}

func (n *notified) heardSince(moment time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.whole.Before(moment)
}

func (n *notified) Load(ctx context.Context, id string) (store.Record, error) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for asked := time.Now(); !n.heardSince(asked); {
		select {
		case <-again.C:
		case <-ctx.Done():
			return store.Record{}, ctx.Err()
		}
	}
	return n.Cache.Load(ctx, id)
}
