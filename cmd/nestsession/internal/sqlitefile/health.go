package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Health reports whether an open file can still be used: whether it was deleted or replaced, which
// an open file does not notice, and whether it can be written. It is safe for concurrent use.
type Health struct {
	db    *sql.DB
	path  string
	write bool
	file  os.FileInfo // the file as it was opened

	turn chan struct{} // holds a token; the goroutine that took it owns the fields below
	at   time.Time     // when last was set; zero: never
	last error
}

const (
	// freshness is how long the result of a write is reused, so that frequent health checks do not
	// load the disk.
	freshness = time.Second

	// room is how much free space the disk must have: more than the largest usual write needs.
	room = 64 << 10
)

// NewHealth watches the file at an absolute path, which db has open. Unless write is set, nothing
// is written to it: the file may belong to another program.
func NewHealth(path string, db *sql.DB, write bool) (*Health, error) {
	file, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	h := &Health{db: db, path: path, write: write, file: file, turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h, nil
}

// Check returns nil if the file can be used.
func (h *Health) Check(ctx context.Context) error {
	if err := h.inPlace(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.turn:
		defer func() { h.turn <- struct{}{} }()
	}
	if now := time.Now(); h.at.IsZero() || now.Sub(h.at) >= freshness {
		h.last = h.writes(ctx)
		h.at = now
	}
	return h.last
}

// inPlace checks that the path still leads to the open file.
func (h *Health) inPlace() error {
	now, err := os.Stat(h.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s was deleted while it is in use, and new changes are lost: restore the file and restart the server", h.path)
	case err != nil:
		return err
	case !os.SameFile(h.file, now):
		return fmt.Errorf("%s was replaced while it is in use: the server reads and writes the old file; restart the server", h.path)
	}
	return nil
}

// writes tries to write to the database.
func (h *Health) writes(ctx context.Context) error {
	tx, err := h.db.BeginTx(ctx, nil) // takes the lock for writing, see dataSource
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	if h.write {
		if err := rewrite(ctx, tx, h.path); err != nil {
			return err
		}
	}
	return h.roomy()
}

// rewrite writes a page of the database with its own content.
func rewrite(ctx context.Context, tx *sql.Tx, path string) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	var journal string
	if err := tx.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if journal != "wal" {
		return nil
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		return fmt.Errorf("the journal was deleted while it is in use, and changes in it are lost: restart the server: %w", err)
	}
	return nil
}

// roomy checks the free space beside the file: on a full disk, small writes succeed for a while,
// where SQLite has reserved space before.
func (h *Health) roomy() error {
	probe, err := os.CreateTemp(filepath.Dir(h.path), ".probe-*")
	if err != nil {
		return err
	}
	_, err = probe.Write(make([]byte, room))
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}
