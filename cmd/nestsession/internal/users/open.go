package users

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
)

//go:embed schema.sql
var schema string

// version is the schema's, kept in the file as SQLite's user_version.
const version = 1

// Open opens the file at path, or makes it, readable by its owner alone, with the
// tables it needs. It refuses a file of a later version of the schema.
func Open(ctx context.Context, path string, hasher Hasher) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	db, err := sqlitefile.Open(abs, sqlitefile.Options{Make: true, Private: true})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	s := &Store{db: db, hasher: hasher}
	err = sqlitefile.WhenFree(ctx, func() error { return migrate(ctx, db) })
	if err == nil {
		s.issuer, err = ensureIssuer(ctx, db)
	}
	if err == nil {
		s.health, err = sqlitefile.NewHealth(abs, db, true)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("users: %s: %w", abs, err)
	}
	return s, nil
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
		return fmt.Errorf("the file has schema version %d, this program knows up to %d: use a newer nestsession", found, version)
	case found == 0:
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
	}
	return tx.Commit()
}
