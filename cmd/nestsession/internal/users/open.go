package users

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

//go:embed schema.sql
var schema string

//go:embed migrate.sql
var fromFirst string

// counts is the table of package throttle. Programs that do not know the table can
// still use the file, so the table does not change the version.
const counts = `CREATE TABLE IF NOT EXISTS nest_throttle (
	key         BLOB PRIMARY KEY,
	empty_at    INTEGER NOT NULL,
	under_way   INTEGER NOT NULL,
	lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID`

// version is the schema's, kept in the file as SQLite's user_version.
const version = 2

// Open opens the file at path with the tables that it needs, or makes it, readable only by its
// owner. It refuses a file with a later version of the schema.
func Open(ctx context.Context, path string, hasher Hasher) (*Store, error) {
	db, err := open(ctx, path, sqlitefile.Options{Make: true, Private: true})
	if err != nil {
		return nil, err
	}
	table := &accounts{db: db, sql: dialects[storeurl.SQLite]}
	s := &Store{rows: table, hasher: hasher}
	if s.issuer, err = table.begin(ctx, path); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("users: %s: %w", path, err)
	}
	return s, nil
}

// begin reads the issuer, and begins to watch the file.
func (a *accounts) begin(ctx context.Context, path string) (issuer string, err error) {
	if issuer, err = ensureIssuer(ctx, a.db); err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	a.health, err = sqlitefile.NewHealth(path, a.db, true)
	return issuer, err
}

func open(ctx context.Context, path string, o sqlitefile.Options) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	db, err := sqlitefile.Open(abs, o)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if err := sqlitefile.WhenFree(ctx, func() error { return migrate(ctx, db) }); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("users: %s: %w", abs, err)
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	var found int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&found); err != nil {
		return err
	}
	switch {
	case found > version:
		return fmt.Errorf("the file has schema version %d, and this program supports versions up to %d: use a newer nestsession", found, version)
	case found == 0:
		_, err = tx.ExecContext(ctx, schema)
	case found == 1:
		_, err = tx.ExecContext(ctx, fromFirst)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, counts)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// OpenCounts opens the file that [Open] has opened, for package throttle. Its writes do not wait for
// the disk: after a failure of the power the last counts may be missing, never an account.
func OpenCounts(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	db, err := sqlitefile.Open(abs, sqlitefile.Options{Private: true, Hasty: true})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	db.SetMaxOpenConns(1) // the file has one writer at a time, and here it need not poll for its turn
	return db, nil
}
