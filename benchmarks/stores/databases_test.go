package stores

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	"github.com/nestsession/session/internal/servers"
	nestpgx "github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// connections are what a pool keeps open to a server.
const connections = 20

// kept is a database: nest's store on it, and scs's stores by the names that they
// have in the table.
type kept struct {
	nest store.Store
	scs  map[string]scs.Store

	server int // its process, 0 for none
}

// databases are opened anew for each measurement.
var databases = []struct {
	name string
	open func(testing.TB) kept
}{
	{"Redis", openRedis},
	{"PostgreSQL", openPostgres},
	{"PostgreSQL, pgx's pool", openPgx},
	{"SQLite", openSQLite},
	{"MariaDB", openMariaDB},
}

func openRedis(tb testing.TB) kept {
	server := servers.StartRedis(tb, servers.RedisOptions{})
	s, err := redisstore.New(tb.Context(), redisstore.Config{Client: newRueidis(tb, server.Addr())})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), PoolSize: connections})
	tb.Cleanup(func() { client.Close() })
	return kept{s, map[string]scs.Store{"scs, goredisstore": goredisstore.New(client)}, server.PID()}
}

func newRueidis(tb testing.TB, addr string) rueidis.Client {
	tb.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

func openPostgres(tb testing.TB) kept {
	server, _, db := postgresFor(tb)
	return kept{newSQLStore(tb, db, sqlstore.Postgres, sqlstore.Native), map[string]scs.Store{
		"scs, postgresstore": postgresstore.NewWithCleanupInterval(db, 0),
	}, server.PID()}
}

// openPgx is without database/sql. The table of nest has the trigger that reports changes.
func openPgx(tb testing.TB) kept {
	server, dsn, _ := postgresFor(tb)
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	s, err := nestpgx.New(tb.Context(), pool, nestpgx.Config{Create: true, SweepInterval: -1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return kept{s, map[string]scs.Store{"scs, pgxstore": pgxstore.NewWithCleanupInterval(pool, 0)}, server.PID()}
}

// postgresFor makes a database with the table of scs.
func postgresFor(tb testing.TB) (server *servers.Postgres, dsn string, db *sql.DB) {
	server = servers.SharedPostgres(tb)
	dsn = server.NewDatabase(tb)
	db = openSQL(tb, "pgx", dsn)
	mustExec(tb, db,
		`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)`,
		`CREATE INDEX sessions_expiry_idx ON sessions (expiry)`)
	return server, dsn, db
}

func openSQLite(tb testing.TB) kept {
	db := openSQL(tb, "sqlite", sqliteDSN(filepath.Join(tb.TempDir(), "sessions.db")))
	mustExec(tb, db,
		`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)`,
		`CREATE INDEX sessions_expiry_idx ON sessions (expiry)`)
	return kept{newSQLStore(tb, db, sqlstore.SQLite, sqlstore.Native), map[string]scs.Store{
		"scs, sqlite3store": sqlite3store.NewWithCleanupInterval(db, 0),
	}, 0}
}

func sqliteDSN(path string) string {
	return "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=synchronous(NORMAL)"
}

func openMariaDB(tb testing.TB) kept {
	server := servers.SharedMariaDB(tb)
	db := openSQL(tb, "mysql", server.NewDatabase(tb))
	mustExec(tb, db,
		`CREATE TABLE sessions (token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL)`,
		`CREATE INDEX sessions_expiry_idx ON sessions (expiry)`)
	return kept{newSQLStore(tb, db, sqlstore.MySQL, sqlstore.Native), map[string]scs.Store{
		"scs, mysqlstore": mysqlstore.NewWithCleanupInterval(db, 0),
	}, server.PID()}
}

// using says which processes the contenders' work is spread over.
func (k kept) using(all []contender) []contender {
	for i := range all {
		all[i].uses.own = true
		if k.server != 0 {
			all[i].uses.pids = []int{k.server}
		}
	}
	return all
}

func openSQL(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

func newSQLStore(tb testing.TB, db *sql.DB, d sqlstore.Dialect, l sqlstore.Layout) store.Store {
	tb.Helper()
	s, err := sqlstore.New(tb.Context(), sqlstore.Config{DB: db, Dialect: d, Layout: l, Create: true, SweepInterval: -1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func mustExec(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(tb.Context(), s); err != nil {
			tb.Fatal(err)
		}
	}
}
