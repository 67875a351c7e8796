// Package sqlitefile opens SQLite files so that only their owner can read them, writes are durable,
// and the process waits for other processes that hold a lock.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"modernc.org/sqlite" // the driver "sqlite", without cgo
)

// Options say how a file is opened.
type Options struct {
	// Make makes the file if it does not exist, readable only by its owner. Otherwise a missing
	// file is an error.
	Make bool

	// Private refuses a file that every user of the machine can read or write.
	Private bool

	// KeepJournal keeps the file's journal mode, for a file that another program uses as well.
	// Otherwise the mode is WAL, in which readers do not wait for writers.
	KeepJournal bool

	// Hasty does not wait until a write is on the disk. If the machine fails, the last writes may be
	// lost, but the file stays whole. It needs the journal mode WAL.
	Hasty bool
}

// Open opens the file at an absolute path.
func Open(path string, o Options) (*sql.DB, error) {
	if o.Make {
		// SQLite would make it readable by everybody; its journals take the file's mode.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	// A file that is there is not opened here: this process may have connections to it, and to close any
	// descriptor of a file releases all locks that the process has on it (fcntl(2)). Then another process
	// would take itself for the last user of the file, and delete its journal.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	if err := usable(path); err != nil {
		return nil, err
	}
	if who := access(path, info); o.Private && who.Anybody() && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%v; other users may have read or changed the file", who)
	}
	return sql.Open("sqlite", dataSource(path, o))
}

func dataSource(path string, o Options) string {
	slashed := filepath.ToSlash(path)
	if slashed[0] != '/' { // C:/…
		slashed = "/" + slashed
	}
	pragmas := []string{"busy_timeout(5000)"}
	if !o.KeepJournal {
		pragmas = append(pragmas, "journal_mode(WAL)")
	}
	synchronous := "synchronous(FULL)"
	if o.Hasty {
		synchronous = "synchronous(NORMAL)"
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: url.Values{
		"_pragma": append(pragmas, synchronous),
		"_txlock": {"immediate"}, // two processes may open a new file at the same time
	}.Encode()}
	return u.String()
}

const (
	busy     = 5 // SQLITE_BUSY, the lower byte of its extended codes
	openTime = 5 * time.Second
)

// WhenFree calls f again while another process that opens the file at the same moment makes it
// fail. SQLite itself waits for other processes (busy_timeout), but not when it changes the journal
// mode.
func WhenFree(ctx context.Context, do func() error) error {
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
