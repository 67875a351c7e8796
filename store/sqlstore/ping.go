package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nestsession/session/store"
)

// pingID is an id that no session has.
const pingID = "ping"

// Ping implements [store.Pinger]: sessions can be loaded and saved.
//
// With PostgreSQL and MySQL it is two statements, of which one would write if there were
// a row for it: a server that takes no writes, such as a standby, refuses it. With SQLite
// it writes a number of the file's header again, as it was, so that a full disk is noticed,
// and looks whether the file is still the one that New has opened: one that was deleted or
// replaced goes on under the connections that are open, and is gone with them.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	// The file first: connections that are opened from now on find another one.
	if err := s.file.check(); err != nil {
		return s.failed(ctx, "ping", "", err)
	}
	err := s.try(ctx, func() error {
		_, err := s.loadOnce(ctx, pingID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err == nil {
		err = s.write(ctx, func() error { return s.pingWrite(ctx) })
	}
	return s.failed(ctx, "ping", "", err)
}

func (s *Store) pingWrite(ctx context.Context) error {
	if s.shape.dialect == SQLite {
		return s.rewriteHeader(ctx)
	}
	v, _ := s.values(store.Record{ID: pingID})
	_, err := s.q.touch.exec(ctx, s.config.DB, &v)
	return err
}

// rewriteHeader commits a write that changes nothing: the user version, which SQLite
// leaves to applications, is set to what it is. Only a commit shows whether the disk
// takes it.
func (s *Store) rewriteHeader(ctx context.Context) error {
	conn, err := s.config.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	pragma := "PRAGMA " + s.shape.dialect.quote(s.config.schema()) + ".user_version"
	var version int64
	err = conn.QueryRowContext(ctx, pragma).Scan(&version)
	if err == nil {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("%s = %d", pragma, version))
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// Also where ctx has ended: the connection goes back to the pool. A full disk may
		// have rolled back already.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// file is the one that SQLite keeps a database in.
type file struct {
	path string // "": in memory, or where the system's files are not
	is   fs.FileInfo
}

// findFile notes which file it is.
func (s *Store) findFile(ctx context.Context) error {
	var path sql.NullString
	err := s.config.DB.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = ? COLLATE NOCASE", s.config.schema()).Scan(&path)
	if err != nil {
		return err
	}
	if is, err := os.Stat(path.String); err == nil && path.String != "" {
		s.file = file{path.String, is}
	}
	return nil
}

// check is an error if the file is not there any more, or another one.
func (f file) check() error {
	if f.path == "" {
		return nil
	}
	is, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refusal("the file " + f.path + " was deleted or moved under the running program: sessions go where nobody finds them again, and end when the program does; put the file back, or restart the program")
	case err != nil:
		return err
	case !os.SameFile(f.is, is):
		return refusal("the file " + f.path + " was replaced by another one under the running program, which has both open: restart the program")
	}
	return nil
}

// schema is the attached database that the table is in.
func (c Config) schema() string {
	if c.Schema == "" {
		return "main"
	}
	return c.Schema
}
