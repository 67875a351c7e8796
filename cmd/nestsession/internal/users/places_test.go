package users_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore/embedded"
)

func TestMain(m *testing.M) { servers.Main(m) }

// place is where a test's accounts are: an SQLite file, or a database of a server.
type place struct {
	kind storeurl.Kind // "" for SQLite
	path string
	url  string
	nats *embedded.Server
}

// everywhere runs a test on each kind of database.
func everywhere(t *testing.T, test func(*testing.T, place)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, place{path: filepath.Join(t.TempDir(), "users.db")})
	})
	t.Run("NATS", func(t *testing.T) {
		t.Parallel()
		server, err := embedded.Start(t.Context(), embedded.Config{Name: "one", Folder: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		test(t, place{kind: storeurl.NATS, nats: server})
	})
	onServers(t, test)
}

func onServers(t *testing.T, test func(*testing.T, place)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, place{kind: storeurl.Postgres, url: servers.SharedPostgres(t).NewDatabase(t)})
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		m := servers.SharedMariaDB(t)
		dsn := m.NewDatabase(t)
		test(t, place{kind: storeurl.MySQL, url: m.URL(dsn[strings.LastIndexByte(dsn, '/')+1:])})
	})
}

// database opens the database of a server, or the file, without any of the package's help.
func (p place) database(t *testing.T) *sql.DB {
	t.Helper()
	if p.kind == "" {
		db, err := sql.Open("sqlite", p.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db, err := p.server(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (p place) buckets(t *testing.T) *stores.UsersBuckets {
	t.Helper()
	conn, err := p.nats.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	b, err := stores.OpenUsersBuckets(t.Context(), &storeurl.Target{Kind: storeurl.NATS}, stores.Options{Conn: conn, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p place) server(t *testing.T) (*sql.DB, error) {
	target, err := storeurl.ParseUsers(p.url)
	if err != nil {
		return nil, err
	}
	return stores.OpenUsers(t.Context(), target)
}

func (p place) open(t *testing.T, h users.Hasher) (*users.Store, error) {
	if p.kind == "" {
		return users.Open(t.Context(), p.path, h)
	}
	if p.kind == storeurl.NATS {
		b := p.buckets(t)
		return users.OpenBucket(t.Context(), b.Accounts, b.Near, h, b)
	}
	db, err := p.server(t)
	if err != nil {
		return nil, err
	}
	s, err := users.OpenServer(t.Context(), db, p.kind, true, h)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

func (p place) mustOpen(t *testing.T, h users.Hasher) *users.Store {
	t.Helper()
	s, err := p.open(t, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (p place) operator(t *testing.T) *users.Accounts {
	t.Helper()
	var a *users.Accounts
	var err error
	if p.kind == "" {
		a, err = users.OpenAccounts(t.Context(), p.path)
	} else if p.kind == storeurl.NATS {
		b := p.buckets(t)
		a, err = users.OpenBucketAccounts(t.Context(), b.Accounts, b)
	} else {
		a, err = users.OpenServerAccounts(t.Context(), p.database(t), p.kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}
