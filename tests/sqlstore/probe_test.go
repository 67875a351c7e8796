package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A Dialect that is not the database's is found out, and the right one named.
func TestWrongDialect(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, d)
			for _, other := range dialects {
				if other == d {
					continue
				}
				_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db.open(t), Dialect: other, Create: true})
				if err == nil || !strings.Contains(err.Error(), "the database is "+d.String()) || !strings.Contains(err.Error(), "Config.Dialect is "+other.String()) {
					t.Errorf("%v as %v: %v", d, other, err)
				}
			}
		})
	}
}

// A database in memory is a store of its own for each connection, in which sessions
// would come and go.
func TestMemory(t *testing.T) {
	t.Parallel()
	open := func(dsn string, most int) error {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		db.SetMaxOpenConns(most)
		s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
		if err == nil {
			fiveMethods(t, s)
			err = s.Close()
		}
		return err
	}
	for _, dsn := range []string{":memory:", "", "file::memory:"} {
		if err := open(dsn, 0); err == nil || !strings.Contains(err.Error(), "SetMaxOpenConns(1)") {
			t.Errorf("%q: %v, want what to do", dsn, err)
		}
		if err := open(dsn, 1); err != nil {
			t.Errorf("%q with one connection: %v", dsn, err)
		}
	}
	if err := open("file:shared?mode=memory&cache=shared", 0); err != nil {
		t.Errorf("a shared cache: %v", err)
	}
}

// UTF-16 would take some ids for others.
func TestEncoding(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite).open(t)
	db.SetMaxOpenConns(1)
	run(t, db, "PRAGMA encoding = 'UTF-16le'")
	run(t, db, "CREATE TABLE a (b)")
	_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
	if err == nil || !strings.Contains(err.Error(), "UTF-16le") {
		t.Errorf("New: %v", err)
	}
}

// Errors of a database that cannot be reached, or that refuses, hold no password.
func TestErrorsHoldNoPassword(t *testing.T) {
	t.Parallel()
	password := map[sqlstore.Dialect]string{
		sqlstore.Postgres: servers.SharedPostgres(t).Password(),
		sqlstore.MySQL:    servers.SharedMariaDB(t).Password(),
	}
	for name, d := range dialects {
		if d == sqlstore.SQLite {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, d)
			right := db.dsn
			for what, dsn := range map[string]string{
				"no server":      strings.Replace(right, db.addr(t), "127.0.0.1:1", 1),
				"wrong password": strings.Replace(right, password[d], password[d]+"-wrong", 1),
				"no database":    strings.Replace(right, "/"+databaseName(right), "/nowhere", 1),
			} {
				db.dsn = dsn
				_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db.open(t), Dialect: d, Create: true})
				if err == nil || strings.Contains(err.Error(), password[d]) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func databaseName(dsn string) string {
	name, _, _ := strings.Cut(dsn[strings.LastIndex(dsn, "/")+1:], "?")
	return name
}

// A right that is missing is said by New, or by the first call that needs it.
func TestMissingRights(t *testing.T) {
	t.Parallel()
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		p := servers.SharedPostgres(t)
		db := newDatabase(t, sqlstore.Postgres)
		p.Exec(t, databaseName(db.dsn), "CREATE TABLE nest_sessions (id bytea PRIMARY KEY, owner bytea NOT NULL DEFAULT '', expires bigint NOT NULL, due bigint NOT NULL DEFAULT 0, data bytea NOT NULL);"+
			"CREATE INDEX a ON nest_sessions (owner); CREATE INDEX b ON nest_sessions (due); CREATE SCHEMA shut; CREATE TABLE shut.nest_sessions (a int)")
		c := sqlstore.Config{DB: db.open(t), Dialect: sqlstore.Postgres}
		_, err := sqlstore.New(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE, DELETE ON") {
			t.Errorf("New without any right: %v", err)
		}
		p.Exec(t, databaseName(db.dsn), "GRANT SELECT, INSERT, UPDATE, DELETE ON nest_sessions TO PUBLIC")
		fiveMethods(t, newStore(t, c))
		c.Create = true // nothing is missing, so that the right to create is not needed
		fiveMethods(t, newStore(t, c))
		c.Schema = "shut"
		if _, err := sqlstore.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("New in a schema that is shut: %v", err)
		}
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		m := servers.SharedMariaDB(t)
		db := newDatabase(t, sqlstore.MySQL)
		name := databaseName(db.dsn)
		newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.MySQL, Create: true})
		m.Exec(t, name, "CREATE USER reader@127.0.0.1 IDENTIFIED BY 'for-the-test'; GRANT SELECT ON "+name+".* TO reader@127.0.0.1")
		t.Cleanup(func() { m.Exec(t, "mysql", "DROP USER reader@127.0.0.1") })
		reader := &database{dialect: sqlstore.MySQL, driver: "mysql", dsn: "reader:for-the-test@tcp(" + db.addr(t) + ")/" + name}
		_, err := sqlstore.New(t.Context(), sqlstore.Config{DB: reader.open(t), Dialect: sqlstore.MySQL})
		if err == nil || !strings.Contains(err.Error(), "command denied") || !strings.Contains(err.Error(), "GRANT") {
			t.Errorf("New of a reader: %v", err)
		}
	})
}

// A call returns when its context ends, though the database does not answer.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		if d == sqlstore.SQLite {
			continue // TestLockedFile
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, d)
			s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: d, Create: true})
			r := create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			tx, err := db.open(t).BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			if _, err := tx.Exec("UPDATE nest_sessions SET owner = 'x' WHERE id = 'id'"); err != nil {
				t.Fatal(err)
			}
			over := store.Record{ID: "id", Data: []byte("{}")}
			for method, call := range map[string]func(context.Context) error{
				"Update": func(ctx context.Context) error { _, err := s.Update(ctx, r); return err },
				"Touch":  func(ctx context.Context) error { return s.Touch(ctx, "id", time.Now().Add(2*time.Hour)) },
				"Delete": func(ctx context.Context) error { return s.Delete(ctx, "id") },
				"Create": func(ctx context.Context) error { _, err := s.Create(ctx, over); return err },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				began := time.Now()
				if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s of a row that somebody has locked: %v", method, err)
				}
				if took := time.Since(began); took > 40*time.Second {
					t.Errorf("%s returned after %v", method, took)
				}
				cancel()
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			// What has become of them nobody knows: MariaDB may carry them out now.
			next := create(t, s, store.Record{ID: "next", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			if _, err := s.Load(t.Context(), next.ID); err != nil {
				t.Errorf("then Load: %v", err)
			}
		})
	}
}
