package sqlstore_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// modes are how SQLite keeps its log.
var modes = map[string]string{"WAL": "?_pragma=journal_mode(wal)", "a journal": "?_pragma=journal_mode(delete)"}

// Ping notices a file that was deleted, moved or replaced under the open store, which
// would work silently until the program ends.
func TestPingNoticesTheFile(t *testing.T) {
	t.Parallel()
	for mode, more := range modes {
		for name, harm := range map[string]func(path string) error{
			"deleted": os.Remove,
			"moved":   func(path string) error { return os.Rename(path, path+".old") },
			"replaced": func(path string) error {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, data, 0o600))
			},
			"its folder deleted": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, sqlstore.SQLite)
				pool := db.open(t, more)
				s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite, Create: true})
				if err := s.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := harm(db.dsn); err != nil {
					t.Fatal(err)
				}
				if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), db.dsn) || !strings.Contains(err.Error(), "restart the program") {
					t.Errorf("Ping: %v", err)
				}
				// So it does where the pool opens a new connection, which makes a new file.
				pool.SetMaxIdleConns(0)
				_ = pool.Ping()
				if err := s.Ping(t.Context()); err == nil {
					t.Error("Ping of a new connection: nil")
				}
			})
		}
	}
}

// Ping leaves the file as it is, what an application keeps in its header included.
func TestPingChangesNothing(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	pool := db.open(t)
	run(t, pool, "PRAGMA user_version = -7")
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite, Create: true})
	r := create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
	for range 3 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var version int
	if err := pool.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != -7 {
		t.Errorf("the user version is %d, %v", version, err)
	}
	if is, err := s.Load(t.Context(), "id"); err != nil || is.Version != r.Version {
		t.Errorf("the session is %+v, %v", is, err)
	}
	wantListed(t, s, "", "id")
}

// Ping waits for a writer, as saves do.
func TestPingBesideAWriter(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.SQLite, Create: true})
	tx, err := db.open(t, "?_txlock=immediate").Begin()
	if err != nil {
		t.Fatal(err)
	}
	pinged := make(chan error, 1)
	go func() { pinged <- s.Ping(t.Context()) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-pinged; err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// fullDisk says to a child of this test what mode to use.
const fullDisk = "NESTSESSION_TEST_FULL_DISK"

// Ping notices a disk that takes no more, and that it does again. A limit on the size of
// files stands for it, which holds for a whole process: hence the child.
func TestPingOnAFullDisk(t *testing.T) {
	t.Parallel()
	if more := os.Getenv(fullDisk); more != "" {
		pingOnAFullDisk(t, more)
		return
	}
	for mode, more := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0], "-test.run=^TestPingOnAFullDisk$")
			child.Env = append(os.Environ(), fullDisk+"="+more)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func pingOnAFullDisk(t *testing.T, more string) {
	db := newDatabase(t, sqlstore.SQLite)
	s := newStore(t, sqlstore.Config{DB: db.open(t, more), Dialect: sqlstore.SQLite, Create: true})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = 512
	if log, err := os.Stat(db.dsn + "-wal"); err == nil {
		full.Cur = uint64(log.Size()) // it is at its end; the database could be written
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	pinged := s.Ping(t.Context())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if pinged == nil {
		t.Error("Ping on a full disk: nil")
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping when there is room again: %v", err)
	}
	create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
}

// A server that takes reads alone is no healthy one.
func TestPingOfAReadOnlyServer(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		db := newDatabase(t, sqlstore.Postgres)
		for layout, c := range configs(sqlstore.Postgres) {
			t.Run(layout, func(t *testing.T) {
				c.DB, c.Create = db.open(t), true
				s := newStore(t, c)
				for _, on := range []bool{true, false, true} {
					servers.SharedPostgres(t).Exec(t, "postgres", "ALTER DATABASE "+databaseName(db.dsn)+" SET default_transaction_read_only = "+map[bool]string{true: "on", false: "off"}[on])
					reconnect(c.DB)
					if err := s.Ping(t.Context()); (err == nil) == on || on && !strings.Contains(err.Error(), "read-only") {
						t.Errorf("Ping with read only %v: %v", on, err)
					}
				}
				servers.SharedPostgres(t).Exec(t, "postgres", "ALTER DATABASE "+databaseName(db.dsn)+" RESET default_transaction_read_only")
			})
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		m := servers.StartMariaDB(t, servers.MariaDBOptions{})
		db := &database{dialect: sqlstore.MySQL, driver: "mysql", dsn: m.NewDatabase(t)}
		s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.MySQL, Create: true})
		m.Exec(t, "mysql", "SET GLOBAL read_only = ON")
		if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("Ping of a read-only server: %v", err)
		}
		m.Exec(t, "mysql", "SET GLOBAL read_only = OFF")
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// reconnect has the pool forget its connections.
func reconnect(db *sql.DB) {
	db.SetMaxIdleConns(0)
	db.SetMaxIdleConns(2)
}
