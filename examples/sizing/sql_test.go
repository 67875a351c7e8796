package sizing_test

import (
	"database/sql"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/sqlstore"
)

// measure fills a table and reports what it takes, new and after use.
func measure(b *testing.B, db *sql.DB, d sqlstore.Dialect, size func() int64) {
	b.Helper()
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if d == sqlstore.SQLite {
		db.SetMaxOpenConns(1) // nothing to wait for
	}
	s, err := sqlstore.New(b.Context(), sqlstore.Config{DB: db, Dialect: d, Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	before := size()
	fill(b, s, true)
	report(b, before, size(), "B/session")
	churn(b, s)
	b.ReportMetric(float64(size()-before)/sessions, "B/session-after-use")
}

func open(b *testing.B, driver, dsn string) *sql.DB {
	b.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// bytes reads the number that a server's client printed.
func bytes(b *testing.B, printed string) int64 {
	b.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(printed), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func BenchmarkSQLite(b *testing.B) {
	file := filepath.Join(b.TempDir(), "sessions.db")
	db := open(b, "sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	measure(b, db, sqlstore.SQLite, func() int64 {
		if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			b.Fatal(err)
		}
		return info.Size()
	})
}

func BenchmarkPostgres(b *testing.B) {
	p := servers.StartPostgres(b, servers.PostgresOptions{Extra: []string{"autovacuum=on"}})
	dsn := p.NewDatabase(b)
	name, _, _ := strings.Cut(path.Base(dsn), "?")
	measure(b, open(b, "pgx", dsn), sqlstore.Postgres, func() int64 {
		return bytes(b, p.Exec(b, name, "SELECT pg_total_relation_size('nest_sessions')"))
	})
}

func BenchmarkMariaDB(b *testing.B) {
	m := servers.StartMariaDB(b, servers.MariaDBOptions{})
	dsn := m.NewDatabase(b)
	measure(b, open(b, "mysql", dsn), sqlstore.MySQL, func() int64 {
		return bytes(b, m.Exec(b, path.Base(dsn), "SELECT FILE_SIZE FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME = '"+path.Base(dsn)+"/nest_sessions'"))
	})
}
