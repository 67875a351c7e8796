package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// broken is a driver in front of another whose statements for many rows fail: before the
// database has seen them, or after it has carried them out.
type broken struct {
	inner  driver.Driver
	err    error
	after  bool
	absent bool // the database does not even know how
	failed atomic.Int64
}

func (b *broken) open(t *testing.T, db *database) *sql.DB {
	t.Helper()
	b.inner = db.open(t).Driver()
	name := fmt.Sprint("broken ", db.dsn)
	sql.Register(name, b)
	pool, err := sql.Open(name, db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

func (b *broken) Open(name string) (driver.Conn, error) {
	c, err := b.inner.Open(name)
	return brokenConn{c, b}, err
}

type brokenConn struct {
	driver.Conn
	b *broken
}

func (c brokenConn) Prepare(query string) (driver.Stmt, error) {
	many := strings.Contains(query, "ANY($") || strings.Contains(query, "json_each") || strings.Contains(query, "SKIP LOCKED)")
	if many && c.b.absent {
		return nil, c.b.err
	}
	s, err := c.Conn.Prepare(query)
	if err == nil && many {
		return brokenStmt{s, c.b}, nil
	}
	return s, err
}

type brokenStmt struct {
	driver.Stmt
	b *broken
}

func (s brokenStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.b.failed.Add(1)
	if s.b.after {
		rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		if err != nil {
			return nil, err
		}
		for err == nil {
			err = rows.Next(make([]driver.Value, len(rows.Columns())))
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return nil, s.b.err
}

// stated is an error as PostgreSQL tells it.
type stated string

func (s stated) Error() string    { return "refused" }
func (s stated) SQLState() string { return string(s) }

// If loads cannot be batched, each is sent unbatched: none fails for another's row.
func TestLoadsThatFailTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		if d == sqlstore.MySQL {
			continue // there they are never batched
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broken{err: errors.New("torn")}
			c := sqlstore.Config{DB: b.open(t, newDatabase(t, d)), Dialect: d, Create: true}
			c.DB.SetMaxOpenConns(1)
			s := newStore(t, c)
			create(t, s, store.Record{ID: "there", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			all := newCrowd(t, c)
			for range 20 {
				all.add(func() {
					if _, err := s.Load(t.Context(), "there"); err != nil {
						t.Errorf("Load: %v", err)
					}
					if _, err := s.Load(t.Context(), "absent"); err != store.ErrNotFound {
						t.Errorf("Load of what is not there: %v, want ErrNotFound", err)
					}
				})
			}
			all.finish(t)
			if b.failed.Load() == 0 {
				t.Error("no loads were batched")
			}
		})
	}
}

// An SQLite that was built without JSON will do.
func TestSQLiteWithoutJSON(t *testing.T) {
	t.Parallel()
	b := &broken{err: errors.New("no such table: json_each"), absent: true}
	for _, unprepared := range []bool{false, true} {
		db := newDatabase(t, sqlstore.SQLite)
		s := newStore(t, sqlstore.Config{DB: b.open(t, db), Dialect: sqlstore.SQLite, Create: true, Unprepared: unprepared})
		fiveMethods(t, s)
	}
}

// Updates that the database has refused together are tried one by one. Those of which
// nobody knows are not: what was carried out would then be a conflict with itself.
func TestUpdatesThatFailTogether(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*broken{
		"refused":  {err: stated("40001")},
		"unknown":  {err: io.ErrUnexpectedEOF, after: true},
		"shutdown": {err: stated("57P01"), after: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sqlstore.Config{DB: b.open(t, newDatabase(t, sqlstore.Postgres)), Dialect: sqlstore.Postgres, Create: true}
			c.DB.SetMaxOpenConns(1)
			s := newStore(t, c)
			var records []store.Record
			for i := range 20 {
				records = append(records, create(t, s, store.Record{ID: fmt.Sprint(i), Data: []byte("old"), Expires: time.Now().Add(time.Hour)}))
			}
			all := newCrowd(t, c)
			var unknown atomic.Int64
			for _, r := range records {
				all.add(func() {
					r.Data = []byte("new")
					_, err := s.Update(t.Context(), r)
					switch {
					case err == nil:
					case b.after && errors.Is(err, b.err):
						unknown.Add(1)
					default:
						t.Errorf("Update: %v", err)
					}
				})
			}
			all.finish(t)
			if b.failed.Load() == 0 {
				t.Error("no updates were batched")
			}
			if b.after && unknown.Load() == 0 {
				t.Error("nobody was told that it is not known what was done")
			}
			for _, r := range records {
				if got, err := s.Load(t.Context(), r.ID); err != nil || string(got.Data) != "new" {
					t.Errorf("then: %q, %v", got.Data, err)
				}
			}
		})
	}
}
