package faults

import (
	"context"
	"database/sql"
	"net"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// backend is a server that keeps sessions, with a function that opens stores on it.
type backend struct {
	server
	password string
	open     func(t testing.TB, addr string) store.Store // addr is the address of the server, or of a proxy in front of it
}

// server has what tests do to any of the servers.
type server interface {
	Addr() string
	Kill()
	Freeze()
	Thaw()
	Restart()
}

// backends start, for one test, each kind of server that runs as a process, with the settings in
// which it promises to keep an acknowledged write after a crash.
var backends = map[string]func(t testing.TB) backend{
	"redis": func(t testing.TB) backend {
		return redisBackend(servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "always"}))
	},
	"redis as connect-redis has it": func(t testing.TB) backend {
		r := servers.StartRedis(t, servers.RedisOptions{Password: password, AppendOnly: "always"})
		return backend{r, r.Password(), func(t testing.TB, addr string) store.Store {
			return openRedisAs(t, redisOption(r.Password(), addr), redisstore.Config{Express: true, OwnerOf: session.OwnerOf})
		}}
	},
	"postgres": func(t testing.TB) backend {
		return postgresBackend(t, servers.StartPostgres(t, servers.PostgresOptions{Durable: true}))
	},
	"mariadb": func(t testing.TB) backend {
		return mariaBackend(t, servers.StartMariaDB(t, servers.MariaDBOptions{Durable: true}))
	},
}

// each runs the test on every kind of server, in parallel.
func each(t *testing.T, test func(t *testing.T, b backend)) {
	watchGoroutines(t)
	t.Run("on", func(t *testing.T) {
		for name, start := range backends {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, start(t))
			})
		}
	})
}

func redisBackend(r *servers.Redis) backend {
	return backend{r, r.Password(), func(t testing.TB, addr string) store.Store {
		return openRedis(t, redisOption(r.Password(), addr))
	}}
}

// redisOption gives the client short timeouts, so that tests are short.
func redisOption(password string, addrs ...string) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress:      addrs,
		Password:         password,
		DisableCache:     true,
		ConnWriteTimeout: 2 * time.Second,
		Dialer:           net.Dialer{Timeout: 2 * time.Second, KeepAlive: time.Second},
	}
}

func openRedis(t testing.TB, o rueidis.ClientOption) store.Store {
	t.Helper()
	return openRedisAs(t, o, redisstore.Config{})
}

func openRedisAs(t testing.TB, o rueidis.ClientOption, c redisstore.Config) store.Store {
	t.Helper()
	client, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.Client = client
	s, err := redisstore.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func postgresBackend(t testing.TB, p *servers.Postgres) backend {
	dsn := p.NewDatabase(t)
	return backend{p, p.Password(), func(t testing.TB, addr string) store.Store {
		return openSQL(t, "pgx", strings.Replace(dsn, p.Addr(), addr, 1), sqlstore.Postgres)
	}}
}

func mariaBackend(t testing.TB, m *servers.MariaDB) backend {
	dsn := m.NewDatabase(t)
	return backend{m, m.Password(), func(t testing.TB, addr string) store.Store {
		return openSQL(t, "mysql", strings.Replace(dsn, m.Addr(), addr, 1), sqlstore.MySQL)
	}}
}

func openSQL(t testing.TB, driver, dsn string, dialect sqlstore.Dialect) store.Store {
	t.Helper()
	db := openDB(t, driver, dsn)
	s, err := sqlstore.New(context.Background(), sqlstore.Config{DB: db, Dialect: dialect, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openDB(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
