package sqlstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// To end all n sessions of an owner takes at most n+1 round trips. Usually it takes far fewer:
// the sessions are listed in large pages, and concurrent saves and deletes are batched.
func TestRoundTripsOfMany(t *testing.T) {
	const sessions, atOnce = 1000, 32
	for layout, c := range configs(sqlstore.Postgres) {
		for name, end := range map[string]func(s *sqlstore.Store, r store.Record) error{
			"tombstones": func(s *sqlstore.Store, r store.Record) error {
				r.Owner, r.Data, r.Expires = "", []byte(`{"ended":true}`), time.Now().Add(30*time.Second)
				_, err := s.Update(t.Context(), r)
				return err
			},
			"deletions": func(s *sqlstore.Store, r store.Record) error { return s.Delete(t.Context(), r.ID) },
		} {
			// How many are batched depends on how fast the machine is.
			const most = sessions + 1
			t.Run(layout+"/"+name, func(t *testing.T) {
				c := c
				db := newDatabase(t, sqlstore.Postgres)
				wire := listen(t, db.addr(t))
				db.dsn = strings.Replace(db.dsn, db.addr(t), wire.Addr().String(), 1)
				c.DB, c.Create = db.open(t), true
				if c.Layout != sqlstore.Native {
					c.OwnerColumn = "owner"
				}
				c.DB.SetMaxOpenConns(4)
				c.DB.SetMaxIdleConns(4)
				s := newStore(t, c)
				var creating sync.WaitGroup
				for i := range 4 {
					creating.Go(func() {
						for n := i; n < sessions; n += 4 {
							create(t, s, store.Record{ID: fmt.Sprintf("session-%04d", n), Owner: "user:1", Data: []byte(`{}`), Expires: time.Now().Add(time.Hour)})
						}
					})
				}
				creating.Wait()
				other := create(t, s, store.Record{ID: "another", Owner: "user:2", Data: []byte(`{}`), Expires: time.Now().Add(time.Hour)})
				before := wire.turns.Load()
				var ending sync.WaitGroup
				records := make(chan store.Record)
				for range atOnce {
					ending.Go(func() {
						for r := range records {
							if err := end(s, r); err != nil {
								t.Error(err)
							}
						}
					})
				}
				for r, err := range s.List(t.Context(), "user:1") {
					if err != nil {
						t.Fatal(err)
					}
					records <- r
				}
				close(records)
				ending.Wait()
				// Statements that a connection sees for the first time are prepared there.
				if n := wire.turns.Load() - before; n > most+16 {
					t.Errorf("%d sessions took %d round trips, want %d at most", sessions, n, most)
				} else {
					t.Logf("%d round trips", n)
				}
				wantListed(t, s, "user:1")
				wantListed(t, s, "user:2", other.ID)
			})
		}
	}
}

// A batched deletion waits for none of the locked rows, finds only what is there, and
// takes no id for another.
func TestDeletionsTogether(t *testing.T) {
	t.Parallel()
	for layout, c := range configs(sqlstore.Postgres) {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, sqlstore.Postgres)
			c.DB, c.Create = db.open(t), true
			s := newStore(t, c)
			const sessions = 64
			id := func(i int) string { return fmt.Sprintf("Session-%03d", i) }
			for i := range sessions {
				create(t, s, store.Record{ID: id(i), Data: []byte(`{}`), Expires: time.Now().Add(time.Hour)})
			}
			create(t, s, store.Record{ID: "session-001", Data: []byte(`{}`), Expires: time.Now().Add(time.Hour)})
			table, column := "nest_sessions", "id"
			if c.Layout != sqlstore.Native {
				table, column = "session", "sid"
			}
			holder, err := db.open(t).Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = holder.Rollback() }()
			if _, err := holder.Exec("SELECT 1 FROM " + table + " WHERE " + column + " = '" + id(0) + "' FOR UPDATE"); err != nil {
				t.Fatal(err)
			}
			locked := make(chan error, 1)
			go func() { locked <- s.Delete(t.Context(), id(0)) }()
			var others sync.WaitGroup
			for i := range sessions {
				for range 2 { // the second finds nothing, which is no error
					others.Go(func() {
						if err := s.Delete(t.Context(), id(1+i)); err != nil {
							t.Error(err)
						}
					})
				}
			}
			others.Wait()
			wantListed(t, s, "", id(0), "session-001")
			if err := holder.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := <-locked; err != nil {
				t.Error(err)
			}
			wantListed(t, s, "", "session-001")
		})
	}
}
