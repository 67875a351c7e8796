package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/sqlstore"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// dialects are all of them, by their names.
var dialects = map[string]sqlstore.Dialect{
	"SQLite":   sqlstore.SQLite,
	"Postgres": sqlstore.Postgres,
	"MariaDB":  sqlstore.MySQL,
}

// layouts are those of other programs.
var layouts = map[string]struct {
	dialect sqlstore.Dialect
	layout  sqlstore.Layout
}{
	"ConnectPgSimple":           {sqlstore.Postgres, sqlstore.ConnectPgSimple},
	"ExpressMySQLSession":       {sqlstore.MySQL, sqlstore.ExpressMySQLSession},
	"ConnectSQLite3":            {sqlstore.SQLite, sqlstore.ConnectSQLite3},
	"BetterSQLite3SessionStore": {sqlstore.SQLite, sqlstore.BetterSQLite3SessionStore},
}

// maxWait is how long a test waits for what takes a busy machine long.
const maxWait = 2 * time.Minute

// database is an empty one of a test's own.
type database struct {
	dialect sqlstore.Dialect
	driver  string
	dsn     string
	tables  atomic.Int64
}

func newDatabase(t testing.TB, d sqlstore.Dialect) *database {
	t.Helper()
	switch d {
	case sqlstore.Postgres:
		return &database{dialect: d, driver: "pgx", dsn: servers.SharedPostgres(t).NewDatabase(t)}
	case sqlstore.MySQL:
		return &database{dialect: d, driver: "mysql", dsn: servers.SharedMariaDB(t).NewDatabase(t)}
	}
	return &database{dialect: d, driver: "sqlite", dsn: filepath.Join(t.TempDir(), "sessions.db")}
}

// open is a pool of a node's own. more goes to the end of the connection string.
func (d *database) open(t testing.TB, more ...string) *sql.DB {
	t.Helper()
	dsn := d.dsn
	for _, s := range more {
		dsn += s
	}
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	// Many cases share a pool. With database/sql's limit of two idle connections most calls would open
	// one, which costs more than the call.
	db.SetMaxIdleConns(20)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// hasty is for the end of the connection string of a database whose durability is not
// what is tested.
func (d *database) hasty() string {
	if d.dialect == sqlstore.SQLite {
		return "?_pragma=synchronous(0)"
	}
	return ""
}

// table is a name that no other test uses.
func (d *database) table() string { return fmt.Sprintf("sessions_%d", d.tables.Add(1)) }

// newStore opens a store that does not sweep by itself and ends with the test.
func newStore(t testing.TB, c sqlstore.Config) *sqlstore.Store {
	t.Helper()
	if c.SweepInterval == 0 {
		c.SweepInterval = -1
	}
	s, err := sqlstore.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clock is one that a test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// run is a statement of somebody else.
func run(t testing.TB, db *sql.DB, text string, args ...any) sql.Result {
	t.Helper()
	r, err := db.Exec(text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}
