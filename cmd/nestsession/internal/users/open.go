package users

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite" // the driver "sqlite", without cgo
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
	// SQLite would make it readable by everybody; its journals take the file's mode.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	db, err := sql.Open("sqlite", dataSource(abs))
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if err := whenFree(ctx, func() error { return migrate(ctx, db) }); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("users: %s: %w", abs, err)
	}
	return &Store{db: db, hasher: hasher}, nil
}

func dataSource(path string) string {
	slashed := filepath.ToSlash(path)
	if slashed[0] != '/' { // C:/…
		slashed = "/" + slashed
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"}, // two processes may open a new file at once
	}.Encode()}
	return u.String()
}

const (
	busy     = 5 // SQLITE_BUSY, the lower byte of its extended codes
	openTime = 5 * time.Second
)

// whenFree does what another process that opens the file at the same moment may
// forbid. SQLite waits for such a one by itself (busy_timeout), but not while it
// changes the journal's mode.
func whenFree(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := do()
		if e := (*sqlite.Error)(nil); !errors.As(err, &e) || e.Code()&0xff != busy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
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
