package sqlstore

import (
	"context"
	"errors"
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
// it writes a number of the file's header again, unchanged, so that a full disk is noticed,
// and checks that the file is still the one that New has opened: connections that are open
// keep using a file that was deleted or replaced, and its sessions are lost with them.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	// The file first: new connections would open another one.
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
		err = s.write(ctx, func() error { return s.dialect.ping(ctx, s) })
	}
	return s.failed(ctx, "ping", "", err)
}

// touchNothing runs the statement touch for a row that does not exist.
func (s *Store) touchNothing(ctx context.Context) error {
	v, _ := s.values(store.Record{ID: pingID})
	_, err := s.q.touch.exec(ctx, s.config.DB, &v)
	return err
}

// file is the one in which SQLite keeps a database.
type file struct {
	path string // "": a database in memory, or a path that the system's files do not have
	info fs.FileInfo
}

// openFile remembers which file is at the path.
func openFile(path string) file {
	info, err := os.Stat(path)
	if err != nil || path == "" {
		return file{}
	}
	return file{path, info}
}

// check returns an error if the file no longer exists, or is another one.
func (f file) check() error {
	if f.path == "" {
		return nil
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ownError("the file " + f.path + " was deleted or moved under the running program: new sessions are lost when the program ends; put the file back, or restart the program")
	case err != nil:
		return err
	case !os.SameFile(f.info, info):
		return ownError("the file " + f.path + " was replaced by another one under the running program, which has both open: restart the program")
	}
	return nil
}
