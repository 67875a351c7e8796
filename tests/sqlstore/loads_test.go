package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Each load of a batch is answered as it is unbatched, whatever the ids.
func TestLoadsTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				c.DB, c.Create = newDatabase(t, d).open(t), true
				c.DB.SetMaxOpenConns(1)
				c.OwnerOf = ownerOf
				s := newStore(t, c)
				ids := []string{"Case", "case", "NULL", "{a,b}", "a,b", `"quoted"`, `back\slash`, "two words", "세션", "%_"}
				if d == sqlstore.MySQL && layout != "Native" {
					ids = ids[2:] // whose collation the test's table has from the package
				}
				for i := range 30 {
					ids = append(ids, fmt.Sprint("session-", i))
				}
				want := map[string]store.Record{}
				for _, id := range ids {
					owner := fmt.Sprint("user:", len(id))
					data := []byte(fmt.Sprintf(`{"__nestsession":{"owner":%q},"length":%d}`, owner, len(id)))
					want[id] = create(t, s, store.Record{ID: id, Owner: ownerOf(data), Data: data, Expires: time.Now().Add(time.Hour).Truncate(time.Second)})
				}
				create(t, s, store.Record{ID: "ended", Owner: "", Data: []byte("{}"), Expires: time.Now().Add(-time.Hour)})
				all := newCrowd(t, c)
				for range 2 { // each twice, since requests of one session come together
					for id, want := range want {
						all.add(func() {
							got, err := s.Load(t.Context(), id)
							if err != nil || got.ID != id || string(got.Data) != string(want.Data) || got.Owner != want.Owner ||
								!got.Expires.Equal(want.Expires) || got.Version != want.Version {
								t.Errorf("Load(%q): %+v, %v; want %+v", id, got, err, want)
							}
							clear(got.Data) // it is the caller's own
						})
					}
				}
				for _, id := range []string{"absent", "ended", "CASE", "session-1 "} {
					all.add(func() {
						if r, err := s.Load(t.Context(), id); err != store.ErrNotFound {
							t.Errorf("Load(%q): %+v, %v; want ErrNotFound", id, r, err)
						}
					})
				}
				all.finish(t)
			})
		}
	}
}

// However the driver sends values, the database understands them: nobody is answered
// only because he is asked for once more by himself.
func TestTogetherInAnyMode(t *testing.T) {
	t.Parallel()
	for setting, dsn := range settings[sqlstore.Postgres] {
		for layout, c := range configs(sqlstore.Postgres) {
			for _, idType := range []string{"", "text"} {
				if layout == "Native" && idType != "" {
					continue
				}
				t.Run(setting+"/"+layout+"/"+idType, func(t *testing.T) {
					t.Parallel()
					c := c
					c.DB, c.Create, c.Table = newDatabase(t, sqlstore.Postgres).open(t, dsn), true, "kept"
					c.DB.SetMaxOpenConns(1)
					c.Unprepared = strings.Contains(dsn, "exec_mode")
					if idType != "" {
						run(t, c.DB, "CREATE TABLE kept (sid "+idType+" PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)")
					}
					s := newStore(t, c)
					var records []store.Record
					for i := range 20 {
						records = append(records, create(t, s, store.Record{ID: fmt.Sprint(i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}))
					}
					undone := func() (n int) {
						run(t, c.DB, "SELECT pg_stat_force_next_flush()")
						run(t, c.DB, "SELECT pg_stat_clear_snapshot()")
						if err := c.DB.QueryRow("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&n); err != nil {
							t.Fatal(err)
						}
						return n
					}
					before := undone()
					all := newCrowd(t, c)
					for _, r := range records {
						all.add(func() {
							_, loaded := s.Load(t.Context(), r.ID)
							r.Data = []byte(`{"a":1}`)
							_, updated := s.Update(t.Context(), r)
							if loaded != nil || updated != nil {
								t.Errorf("Load: %v; Update: %v", loaded, updated)
							}
						})
					}
					all.finish(t)
					if n := undone() - before; n > 0 {
						t.Errorf("the database has refused %d statements", n)
					}
				})
			}
		}
	}
}

// One who gives up does so at once, and the others are answered.
func TestWhoGivesUpTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sqlstore.Config{DB: newDatabase(t, d).open(t), Dialect: d, Create: true}
			c.DB.SetMaxOpenConns(1)
			s := newStore(t, c)
			r := create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			all := newCrowd(t, c)
			ctx, cancel := context.WithCancel(t.Context())
			var left sync.WaitGroup
			for range 6 {
				left.Go(func() {
					if _, err := s.Load(ctx, r.ID); !errors.Is(err, context.Canceled) {
						t.Errorf("Load of who gives up: %v", err)
					}
					if _, err := s.Update(ctx, r); !errors.Is(err, context.Canceled) {
						t.Errorf("Update of who gives up: %v", err)
					}
				})
				all.add(func() {
					if _, err := s.Load(t.Context(), r.ID); err != nil {
						t.Errorf("Load of who does not: %v", err)
					}
				})
			}
			cancel()
			left.Wait()
			all.finish(t)
			if got, err := s.Load(t.Context(), r.ID); err != nil || got.Version != r.Version {
				t.Errorf("an Update that was given up before its turn was done: %v", err)
			}
		})
	}
}
