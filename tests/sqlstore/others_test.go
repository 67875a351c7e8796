package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A write of somebody else, in plain SQL, is seen by our next Update.
func TestOthersWriteIsAConflict(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				c.DB, c.Create, c.Table = newDatabase(t, d).open(t), true, "kept"
				owners := d == sqlstore.Postgres || c.Layout == sqlstore.Native || d == sqlstore.MySQL
				if c.Layout != sqlstore.Native {
					c.OwnerColumn = "owner"
				}
				s := newStore(t, c)
				id, data := column(c.Layout)
				writes := []string{fmt.Sprintf(`UPDATE kept SET %s = '{"a": 2}' WHERE %s = 'id'`, data, id)}
				if owners {
					writes = append(writes, fmt.Sprintf(`UPDATE kept SET owner = 'user:2' WHERE %s = 'id'`, id))
				}
				for _, text := range writes {
					r := store.Record{ID: "id", Data: []byte(`{"a":1}`), Expires: time.Now().Add(time.Hour)}
					if owners {
						r.Owner = "user:1"
					}
					r = create(t, s, r)
					run(t, c.DB, text)
					r.Data = []byte(`{"a":3}`)
					if _, err := s.Update(t.Context(), r); !errors.Is(err, store.ErrConflict) {
						t.Errorf("Update after %s: %v, want ErrConflict", text, err)
					}
					r, err := s.Load(t.Context(), r.ID)
					if err != nil {
						t.Fatal(err)
					}
					r.Data = []byte(`{"a":4}`)
					if _, err := s.Update(t.Context(), r); err != nil {
						t.Errorf("Update of what the other wrote: %v", err)
					}
					if err := s.Delete(t.Context(), r.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// column are the names of the id's and of the data's.
func column(l sqlstore.Layout) (id, data string) {
	switch l {
	case sqlstore.Native:
		return "id", "data"
	case sqlstore.ExpressMySQLSession:
		return "session_id", "data"
	}
	return "sid", "sess"
}

// settings of a connection under which a store must work as it does without them.
var settings = map[sqlstore.Dialect]map[string]string{
	sqlstore.Postgres: {
		"read committed":   "",
		"repeatable read":  "&default_transaction_isolation=repeatable%20read",
		"serializable":     "&default_transaction_isolation=serializable",
		"simple protocol":  "&default_query_exec_mode=simple_protocol",
		"no cached plans":  "&default_query_exec_mode=exec",
		"generic plans":    "&plan_cache_mode=force_generic_plan",
		"bytea as escapes": "&bytea_output=escape",
	},
	sqlstore.MySQL: {
		"changed rows":       "",
		"found rows":         "?clientFoundRows=true",
		"serializable":       "?tx_isolation='serializable'",
		"read uncommitted":   "?tx_isolation='read-uncommitted'",
		"times are parsed":   "?parseTime=true&loc=Asia%2FSeoul&time_zone='%2B09%3A00'",
		"values interpolate": "?interpolateParams=true",
		"no mode":            "?sql_mode=''",
		"ansi":               "?sql_mode='ansi%2Cno_backslash_escapes%2Cpad_char_to_full_length'",
		"other collation":    "?collation=utf8mb4_unicode_ci",
	},
}

// Under any of them, no update is lost and none succeeds twice, and one that
// changes nothing succeeds.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		shared := newDatabase(t, d)
		for setting, dsn := range settings[d] {
			for layout, c := range configs(d) {
				for _, unprepared := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/Unprepared=%v", name, setting, layout, unprepared), func(t *testing.T) {
						t.Parallel()
						db := shared
						if d == sqlstore.SQLite {
							db = newDatabase(t, d) // a file has one writer at a time
						}
						c := c // each test sets its own database
						c.DB, c.Table, c.Create, c.Unprepared = db.open(t, dsn), db.table(), true, unprepared
						if c.Layout != sqlstore.Native {
							c.OwnerColumn = "owner"
						}
						s := newStore(t, c)
						fiveMethods(t, s)
						nothingChanges(t, s)
						addTogether(t, s)
					})
				}
			}
		}
	}
}

// nothingChanges writes what is there already.
func nothingChanges(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	ctx := t.Context()
	r := create(t, s, store.Record{ID: "same", Owner: "user:1", Data: []byte(`{"a":"세션🍪"}`), Expires: time.Now().Add(time.Hour).Truncate(time.Second)})
	for range 2 {
		var err error
		if r.Version, err = s.Update(ctx, r); err != nil {
			t.Errorf("Update that changes nothing: %v", err)
		}
		if err := s.Touch(ctx, r.ID, r.Expires); err != nil {
			t.Errorf("Touch that changes nothing: %v", err)
		}
		got, err := s.Load(ctx, r.ID)
		if err != nil || string(got.Data) != string(r.Data) || got.Owner != r.Owner || !got.Expires.Equal(r.Expires) {
			t.Errorf("then Load: %+v, %v; want %+v", got, err, r)
		}
		r.Version = got.Version
	}
	if _, err := s.Create(ctx, r); !errors.Is(err, store.ErrExists) {
		t.Errorf("Create of what is there: %v", err)
	}
	wantListed(t, s, "user:1", "same")
	if err := s.Delete(ctx, r.ID); err != nil {
		t.Error(err)
	}
}

// addTogether counts to forty from several goroutines.
func addTogether(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	const workers, each = 4, 10
	ctx := t.Context()
	create(t, s, store.Record{ID: "counter", Data: []byte("0"), Expires: time.Now().Add(time.Hour)})
	var adding sync.WaitGroup
	for range workers {
		adding.Go(func() {
			for done := 0; done < each; {
				r, err := s.Load(ctx, "counter")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_, _ = fmt.Sscan(string(r.Data), &n)
				r.Data = fmt.Append(nil, n+1)
				switch _, err = s.Update(ctx, r); {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	adding.Wait()
	if r, err := s.Load(ctx, "counter"); err != nil || string(r.Data) != fmt.Sprint(workers*each) {
		t.Errorf("the counter is %s, %v; want %d", r.Data, err, workers*each)
	}
}

// Somebody else's transaction is not ours to report: when the server has waited for its
// lock as long as it does, the update
// begins anew.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.MySQL)
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.MySQL, Create: true})
	far := time.Now().Add(time.Hour)
	r := create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: far})
	tx, err := db.open(t, "?innodb_lock_wait_timeout=1").BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE nest_sessions SET owner = 'x' WHERE id = 'id'"); err != nil {
		t.Fatal(err)
	}
	impatient := newStore(t, sqlstore.Config{DB: db.open(t, "?innodb_lock_wait_timeout=1"), Dialect: sqlstore.MySQL})
	done := make(chan error, 1)
	go func() {
		r.Data = []byte(`{"a":1}`)
		_, err := impatient.Update(t.Context(), r)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("Update of a locked row: %v", err)
	case <-time.After(1500 * time.Millisecond): // longer than the server waits for a lock
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Update of a row that was locked for a while: %v", err)
	}
}
