package stores

import (
	"context"
	"database/sql"
	"io"
	"os"

	_ "modernc.org/sqlite"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/sqlstore"
)

// SQLite keeps sessions in a file.
func SQLite(ctx context.Context) (*Sessions, error) {
	db, err := sql.Open("sqlite", "file:"+os.Getenv("SESSION_FILE")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: kept})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{db, kept}}, nil
}

// SQLiteWithNode shares the sessions of a Node application on connect-sqlite3, or
// with BetterSQLite3SessionStore on better-sqlite3-session-store.
func SQLiteWithNode(ctx context.Context, db *sql.DB) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, sqlstore.Config{
		DB: db, Dialect: sqlstore.SQLite,
		Layout:  sqlstore.ConnectSQLite3,
		OwnerOf: session.OwnerOf,
	})
}
