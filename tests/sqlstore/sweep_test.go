package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Several nodes sweep at once, in small batches: each expired session is removed once,
// and none that somebody touches or creates anew meanwhile.
func TestSweepTogether(t *testing.T) {
	t.Parallel()
	const expired, batch, sweepers = 500, 20, 4
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db, clock := newDatabase(t, d), newClock()
				c.Create, c.SweepBatch, c.Now = true, batch, clock.now
				var all []*sqlstore.Store
				for range sweepers {
					c.DB = db.open(t, db.hasty())
					all = append(all, newStore(t, c))
				}
				data := []byte("{}")
				for i := range expired {
					create(t, all[0], store.Record{ID: fmt.Sprint("over ", i), Data: data, Expires: clock.now().Add(time.Minute)})
				}
				create(t, all[0], store.Record{ID: "live", Data: data, Expires: clock.now().Add(time.Hour)})
				clock.advance(2 * time.Minute)

				var removed atomic.Int64
				var working sync.WaitGroup
				for _, s := range all {
					working.Go(func() {
						n, err := s.Sweep(t.Context())
						if err != nil {
							t.Error(err)
						}
						removed.Add(int64(n))
					})
				}
				// Beside them, some sessions come back, as when a user logs in again.
				anew := 0
				for i := 0; i < expired; i += 25 {
					r := store.Record{ID: fmt.Sprint("over ", i), Data: []byte(`{"new":1}`), Expires: clock.now().Add(time.Hour)}
					create(t, all[i%sweepers], r)
					anew++
				}
				working.Wait()
				n, err := all[0].Sweep(t.Context()) // what others had locked
				if err != nil {
					t.Fatal(err)
				}
				if total := int(removed.Load()) + n; total > expired || total < expired-anew {
					t.Errorf("%d of %d expired sessions removed, of which %d had come back", total, expired, anew)
				}
				listed := 0
				for r, err := range all[0].List(t.Context(), "") {
					if err != nil {
						t.Fatal(err)
					}
					if r.ID != "live" && string(r.Data) != `{"new":1}` {
						t.Errorf("%s is listed", r.ID)
					}
					listed++
				}
				if listed != anew+1 {
					t.Errorf("%d sessions live, want %d", listed, anew+1)
				}
			})
		}
	}
}

// A row that somebody holds a lock on is left for the next sweep.
func TestSweepPassesLockedRows(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.Postgres)
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.Postgres, Create: true})
	for _, id := range []string{"free", "locked"} {
		create(t, s, store.Record{ID: id, Data: []byte("{}"), Expires: time.Now().Add(-time.Hour)})
	}
	tx, err := db.open(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM nest_sessions WHERE id = 'locked' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	if n, err := s.Sweep(ctx); n != 1 || err != nil {
		t.Errorf("Sweep removed %d, %v; want the one that is free", n, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(ctx); n != 1 || err != nil {
		t.Errorf("the next Sweep removed %d, %v", n, err)
	}
}

// The store sweeps by itself, until Close: no goroutine of it is left.
func TestSweepsByItself(t *testing.T) {
	t.Parallel()
	db, clock := newDatabase(t, sqlstore.SQLite), newClock()
	pool := db.open(t, "?_pragma=busy_timeout(10000)")
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite, Create: true, Now: clock.now, SweepInterval: 5 * time.Millisecond})
	sweeping := func() bool {
		var stacks bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(stacks.String(), fmt.Sprintf("sqlstore.(*Store).sweepLoop(%p", s))
	}
	create(t, s, store.Record{ID: "over", Data: []byte("{}"), Expires: clock.now().Add(time.Minute)})
	kept := func() (n int) {
		if err := pool.QueryRow("SELECT count(*) FROM nest_sessions").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if kept() != 1 {
		t.Error("a live session was swept")
	}
	clock.advance(2 * time.Minute)
	for deadline := time.Now().Add(maxWait); kept() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the expired session is still there")
		}
	}
	if !sweeping() {
		t.Error("there is no sweeper")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if sweeping() {
		t.Error("the sweeper is still there after Close")
	}
	if err := pool.PingContext(t.Context()); err != nil {
		t.Errorf("Close has closed the caller's database: %v", err)
	}
	create(t, newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite}), store.Record{ID: "next", Data: []byte("{}")})
}

// A sweep that fails is logged, without sessions and passwords, and the next one is tried.
func TestSweepThatFails(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	pool := db.open(t)
	told := make(chan string, 100)
	s := newStore(t, sqlstore.Config{
		DB: pool, Dialect: sqlstore.SQLite, Create: true, SweepInterval: 5 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(lines(func(line string) {
			select {
			case told <- line:
			default:
			}
		}), nil)),
	})
	renameDuringSweeps(t, pool, "ALTER TABLE nest_sessions RENAME TO elsewhere")
	for range 2 {
		select {
		case line := <-told:
			if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "table=nest_sessions") || !strings.Contains(line, "no such table") {
				t.Errorf("told: %s", line)
			}
		case <-time.After(maxWait):
			t.Fatal("nothing was told")
		}
	}
	renameDuringSweeps(t, pool, "ALTER TABLE elsewhere RENAME TO nest_sessions")
	if _, err := s.Sweep(context.Background()); err != nil {
		t.Errorf("Sweep once the table is back: %v", err)
	}
}

// renameDuringSweeps runs a statement that SQLite refuses while a sweep reads the table.
func renameDuringSweeps(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	deadline := time.Now().Add(maxWait)
	for {
		_, err := db.ExecContext(t.Context(), statement)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "SQLITE_BUSY") || time.Now().After(deadline) {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// lines is a writer that hands on what is written.
type lines func(string)

func (l lines) Write(p []byte) (int, error) {
	l(string(p))
	return len(p), nil
}
