package live_test

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/sqlstore"
)

func inPostgres(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the address of the database is no URL")
	}
	if s.timeZone != "" {
		query := at.Query()
		query.Set("options", "-c TimeZone="+s.timeZone)
		at.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	return nodeSettings{Kind: "connect-pg-simple", URL: at.String()},
		s.inSQL(t, "pgx", dsn, sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple, TimeZone: s.timeZone})
}

func inMariaDB(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
	server := servers.SharedMariaDB(t)
	dsn := server.NewDatabase(t)
	at := server.URL(dsn[strings.LastIndexByte(dsn, '/')+1:])
	return nodeSettings{Kind: "express-mysql-session", URL: at},
		s.inSQL(t, "mysql", dsn, sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession})
}

func inSQLite(kind string, layout sqlstore.Layout) func(*testing.T, setup) (nodeSettings, func(context.Context) opened) {
	return func(t *testing.T, s setup) (nodeSettings, func(context.Context) opened) {
		file := filepath.Join(t.TempDir(), "sessions.db")
		dsn := "file:" + file + "?_pragma=busy_timeout(10000)"
		if !s.rollback {
			dsn += "&_pragma=journal_mode(WAL)"
		}
		return nodeSettings{Kind: kind, File: file, Rollback: s.rollback},
			s.inSQL(t, "sqlite", dsn, sqlstore.Config{Dialect: sqlstore.SQLite, Layout: layout})
	}
}

// inSQL returns how Go opens a store in a table.
func (s setup) inSQL(t *testing.T, driver, dsn string, cfg sqlstore.Config) func(context.Context) opened {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	cfg.DB, cfg.OwnerOf, cfg.OwnerColumn = db, session.OwnerOf, s.ownerColumn
	cfg.Create = s.goFirst || s.ownerColumn != "" // a table that Node has made is used as it is
	return func(ctx context.Context) opened {
		kept, err := sqlstore.New(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		return opened{kept, func(ctx context.Context) error { _, err := kept.Sweep(ctx); return err }}
	}
}
