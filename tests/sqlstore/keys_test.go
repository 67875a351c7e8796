package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// configs are the native table and those of other programs for the dialect.
func configs(d sqlstore.Dialect) map[string]sqlstore.Config {
	all := map[string]sqlstore.Config{"Native": {Dialect: d}}
	for name, l := range layouts {
		if l.dialect == d {
			all[name] = sqlstore.Config{Dialect: d, Layout: l.layout}
		}
	}
	return all
}

// Each of the five methods finds its row by the key, however many there are.
func TestStatementsUseTheKey(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				var log recorder
				c.DB, c.Create, c.Table = db.open(t), true, "kept"
				if d == sqlstore.SQLite {
					c.DB = log.open(t, db)
				}
				c.DB.SetMaxOpenConns(1)
				s := newStore(t, c)
				for i := range 500 {
					create(t, s, store.Record{ID: fmt.Sprint("id", i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
				}
				if d == sqlstore.SQLite {
					fiveMethods(t, s)
					log.wantKey(t, c.DB)
					return
				}
				before := scanned(t, c.DB, d)
				for range 20 {
					fiveMethods(t, s)
				}
				if n := scanned(t, c.DB, d) - before; n > 100 {
					t.Errorf("20 rounds of the five methods read %d rows without the key", n)
				}
			})
		}
	}
}

func create(t testing.TB, s store.Store, r store.Record) store.Record {
	t.Helper()
	v, err := s.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = v
	return r
}

// fiveMethods takes a record through its life.
func fiveMethods(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	r := create(t, s, store.Record{ID: "one more", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
	_, loaded := s.Load(ctx, r.ID)
	touched := s.Touch(ctx, r.ID, r.Expires.Add(time.Minute))
	r, reloaded := s.Load(ctx, r.ID)
	r.Data = []byte(`{"a":1}`)
	_, updated := s.Update(ctx, r)
	for _, err := range []error{loaded, touched, reloaded, updated, s.Delete(ctx, r.ID)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// scanned is how many rows the server has read one after the other.
func scanned(t *testing.T, db *sql.DB, d sqlstore.Dialect) (n int) {
	t.Helper()
	query := "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'HANDLER_READ_RND_NEXT'"
	if d == sqlstore.Postgres {
		// The statistics of a connection that has been idle for a second are complete.
		run(t, db, "SELECT pg_stat_force_next_flush()")
		run(t, db, "SELECT pg_stat_clear_snapshot()")
		query = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'kept'"
	}
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// recorder notes the statements that are prepared.
type recorder struct {
	mu    sync.Mutex
	texts []string
	inner driver.Driver
}

func (r *recorder) open(t *testing.T, db *database) *sql.DB {
	t.Helper()
	plain := db.open(t)
	r.inner = plain.Driver()
	name := fmt.Sprint("recorded ", db.dsn)
	sql.Register(name, r)
	recorded, err := sql.Open(name, db.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = recorded.Close() })
	return recorded
}

func (r *recorder) Open(name string) (driver.Conn, error) {
	c, err := r.inner.Open(name)
	return recordedConn{c, r}, err
}

type recordedConn struct {
	driver.Conn
	r *recorder
}

func (c recordedConn) Prepare(query string) (driver.Stmt, error) {
	c.r.mu.Lock()
	c.r.texts = append(c.r.texts, query)
	c.r.mu.Unlock()
	return c.Conn.Prepare(query)
}

// wantKey checks the plans of what is done by id.
func (r *recorder) wantKey(t *testing.T, db *sql.DB) {
	t.Helper()
	checked := 0
	for _, text := range r.texts {
		if !strings.Contains(text, "COLLATE BINARY") && !strings.Contains(text, "json_each") || strings.HasPrefix(text, "INSERT") {
			continue
		}
		args := make([]any, strings.Count(text, "?"))
		rows, err := db.Query("EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var plan string
			if err := rows.Scan(&id, &parent, &unused, &plan); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(plan, "SCAN") && !strings.Contains(plan, "json_each") {
				t.Errorf("%s: %s", text, plan)
			}
		}
		_ = rows.Close()
		checked++
	}
	if checked < 6 {
		t.Errorf("%d statements by id seen, want 6", checked)
	}
}
