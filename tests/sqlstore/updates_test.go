package sqlstore_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Each update of a batch is done and answered as it is unbatched.
func TestUpdatesTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				c.DB, c.Create, c.Table = db.open(t), true, "kept"
				c.DB.SetMaxOpenConns(1)
				if c.Layout != sqlstore.Native {
					c.OwnerOf = ownerOf
				}
				s := newStore(t, c)
				document := func(owner, text string) []byte {
					return fmt.Appendf(nil, `{"__nestsession":{"owner":%q},"text":%q}`, owner, text)
				}
				was := func(id string) store.Record {
					return create(t, s, store.Record{ID: id, Owner: "user:1", Data: document("user:1", "was "+id), Expires: time.Now().Add(time.Hour).Truncate(time.Second)})
				}
				type outcome struct {
					record  store.Record
					version store.Version
					err     error
				}
				var mu sync.Mutex
				outcomes := map[string]outcome{}
				update := func(name string, r store.Record) func() {
					return func() {
						v, err := s.Update(t.Context(), r)
						mu.Lock()
						defer mu.Unlock()
						outcomes[name] = outcome{r, v, err}
					}
				}
				calls := map[string]func(){}
				for i := range 20 {
					id := fmt.Sprint("plain", i)
					r := was(id)
					r.Data, r.Expires = document("user:1", "new"), r.Expires.Add(time.Minute)
					calls[id] = update(id, r)
				}
				same := was("same")
				for i := range 3 {
					r := same
					r.Data = document("user:1", fmt.Sprint("new ", i))
					calls[fmt.Sprint("same", i)] = update(fmt.Sprint("same", i), r)
				}
				moves, over, stale, gone := was("moves"), was("over"), was("stale"), was("gone")
				moves.Owner, moves.Data = "user:2", document("user:2", "new")
				calls["moves"] = update("moves", moves)
				over.Expires = time.Now().Add(-time.Hour)
				calls["over"] = update("over", over)
				newer := stale
				newer.Data = document("user:1", "newer")
				if _, err := s.Update(t.Context(), newer); err != nil {
					t.Fatal(err)
				}
				calls["stale"] = update("stale", stale)
				if err := s.Delete(t.Context(), "gone"); err != nil {
					t.Fatal(err)
				}
				calls["gone"] = update("gone", gone)

				all := newCrowd(t, c)
				for _, call := range calls {
					all.add(call)
				}
				all.finish(t)

				won := 0
				versions := map[store.Version]bool{}
				for name, o := range outcomes {
					switch {
					case o.record.ID == "same":
						if o.err == nil {
							won++
						} else if o.err != store.ErrConflict {
							t.Errorf("%s: %v, want ErrConflict or nothing", name, o.err)
						}
					case name == "stale" && o.err == store.ErrConflict, name == "gone" && o.err == store.ErrNotFound:
						continue
					case o.err != nil || name == "stale" || name == "gone":
						t.Errorf("%s: %v", name, o.err)
						continue
					}
					if o.err != nil {
						continue
					}
					versions[o.version] = true
					got, err := s.Load(t.Context(), o.record.ID)
					if name == "over" {
						if err != store.ErrNotFound {
							t.Errorf("%s: Load: %v, want ErrNotFound", name, err)
						}
						continue
					}
					if err != nil || string(got.Data) != string(o.record.Data) || got.Owner != o.record.Owner ||
						!got.Expires.Equal(o.record.Expires) || got.Version != o.version {
						t.Errorf("%s: then Load %+v, %v; want %+v of version %d", name, got, err, o.record, o.version)
					}
				}
				if won != 1 {
					t.Errorf("%d updates of one version succeeded, want 1", won)
				}
				if d == sqlstore.Postgres && len(versions) > 15 {
					t.Errorf("%d transactions did what one can", len(versions))
				}
			})
		}
	}
}

// A batch writes what single updates write, whatever types connect-pg-simple's table has been given:
// the text byte for byte where the column keeps it, and each row by its exact id.
func TestUpdatesTogetherInOddTables(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]string{
		"json": "sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL", "jsonb": "sid varchar PRIMARY KEY, sess jsonb NOT NULL, expire timestamp(6) NOT NULL",
		"text": "sid text PRIMARY KEY, sess text NOT NULL, expire timestamptz NOT NULL", "varchar": "sid varchar(200) PRIMARY KEY, sess varchar(4000) NOT NULL, expire timestamptz NOT NULL",
		"case": "sid text COLLATE caseless PRIMARY KEY, sess json NOT NULL, expire timestamp NOT NULL",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newDatabase(t, sqlstore.Postgres).open(t)
			pool.SetMaxOpenConns(1)
			run(t, pool, "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
			run(t, pool, "CREATE TABLE session ("+columns+")")
			c := sqlstore.Config{DB: pool, Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple}
			s := newStore(t, c)
			var calls []func()
			var want []store.Record
			for i := range 24 {
				id := fmt.Sprintf("ID-%d 'é\"\\,{}", i)
				r := create(t, s, store.Record{ID: id, Data: []byte(`{"n":0}`), Expires: time.Now().Add(time.Hour).Truncate(time.Second)})
				r.Data, r.Expires = fmt.Appendf(nil, `{"n": %d, "text": "it's \"é\" \\ {,} \u00e9"}`, i), r.Expires.Add(time.Minute)
				want = append(want, r)
				calls = append(calls, func() {
					if _, err := s.Update(t.Context(), r); err != nil {
						t.Errorf("%s: %v", r.ID, err)
					}
				})
			}
			other := want[0]
			other.ID = strings.ToLower(other.ID)
			calls = append(calls, func() {
				if _, err := s.Update(t.Context(), other); err != store.ErrNotFound {
					t.Errorf("an id in other letters: %v, want ErrNotFound", err)
				}
			})
			all := newCrowd(t, c)
			for _, call := range calls {
				all.add(call)
			}
			all.finish(t)
			versions := map[store.Version]bool{}
			for _, r := range want {
				got, err := s.Load(t.Context(), r.ID)
				if err != nil || !got.Expires.Equal(r.Expires) || name != "jsonb" && string(got.Data) != string(r.Data) || !bytes.Contains(got.Data, []byte(`it's`)) {
					t.Errorf("%s: %q until %v, %v; want %q until %v", r.ID, got.Data, got.Expires, err, r.Data, r.Expires)
				}
				versions[got.Version] = true
			}
			if len(versions) > 12 {
				t.Errorf("%d transactions did what one can", len(versions))
			}
		})
	}
}

// Only the update of a locked row waits for it.
func TestLockedRowKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.Postgres)
	pool := db.open(t)
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.Postgres, Create: true})
	var records []store.Record
	for i := range 30 {
		records = append(records, create(t, s, store.Record{ID: fmt.Sprint(i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}))
	}
	other, err := db.open(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if _, err := other.Exec("UPDATE nest_sessions SET owner = 'somebody' WHERE id = '0'"); err != nil {
		t.Fatal(err)
	}
	locked := make(chan error, 1)
	update := func(r store.Record) error {
		r.Data = []byte(`{"changed":true}`)
		_, err := s.Update(t.Context(), r)
		return err
	}
	go func() { locked <- update(records[0]) }()
	for range 3 { // often enough for it to have gone with others, too
		var wg sync.WaitGroup
		for i, r := range records[1:] {
			wg.Go(func() {
				if err := update(r); err != nil {
					t.Errorf("an update of a row that nobody has locked: %v", err)
				}
				var err error
				if records[1+i], err = s.Load(t.Context(), r.ID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	select {
	case err := <-locked:
		t.Fatalf("the update of the locked row: %v", err)
	default:
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-locked; err != store.ErrConflict {
		t.Errorf("the update of a row that was changed meanwhile: %v, want ErrConflict", err)
	}
}

// A batch finds its rows by the key, in a table of some size, and leaves the
// indexes alone: the expiry moves with each save.
func TestTogetherInALargeTable(t *testing.T) {
	t.Parallel()
	t.Run("Native", func(t *testing.T) {
		t.Parallel()
		togetherInALargeTable(t, sqlstore.Native, `INSERT INTO kept (id, expires, due, data) SELECT convert_to('other' || n, 'UTF8'), 4102444800000, 4102444800000, '{}' FROM generate_series(1, 50000) AS n`, 80)
	})
	t.Run("ConnectPgSimple", func(t *testing.T) {
		t.Parallel()
		// The expiry is in an index, as connect-pg-simple's table has it, so that an update writes to that.
		togetherInALargeTable(t, sqlstore.ConnectPgSimple, `INSERT INTO kept (sid, expire, sess) SELECT 'other' || n, now() + interval '1 year', '{}' FROM generate_series(1, 50000) AS n`, 0)
	})
}

func togetherInALargeTable(t *testing.T, layout sqlstore.Layout, others string, percentHot int) {
	const callers, rounds = 16, 20
	db := newDatabase(t, sqlstore.Postgres)
	pool := db.open(t)
	pool.SetMaxOpenConns(1)
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.Postgres, Layout: layout, Create: true, Table: "kept"})
	run(t, pool, others)
	var records []store.Record
	for i := range callers {
		records = append(records, create(t, s, store.Record{ID: fmt.Sprint(i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}))
	}
	run(t, pool, "VACUUM ANALYZE kept")
	before := scanned(t, pool, sqlstore.Postgres)
	updates := func() (all, hot int) {
		if err := pool.QueryRow("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'kept'").Scan(&all, &hot); err != nil {
			t.Fatal(err)
		}
		return all, hot
	}
	updatedBefore, hotBefore := updates()
	var wg sync.WaitGroup
	for _, r := range records {
		wg.Go(func() {
			for i := range rounds {
				var err error
				if r, err = s.Load(t.Context(), r.ID); err != nil {
					t.Error(err)
					return
				}
				r.Data, r.Expires = fmt.Appendf(nil, `{"n":%d}`, i), time.Now().Add(time.Hour)
				if _, err = s.Update(t.Context(), r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := scanned(t, pool, sqlstore.Postgres) - before; n > 1000 {
		t.Errorf("%d rows were read without the key", n)
	}
	updated, hot := updates()
	updated, hot = updated-updatedBefore, hot-hotBefore
	if updated != callers*rounds || hot < updated*percentHot/100 {
		t.Errorf("of %d updates, %d have not written to the indexes; want %d, and %d%% or more", updated, hot, callers*rounds, percentHot)
	}
}
