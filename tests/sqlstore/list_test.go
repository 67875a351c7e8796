package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// With one connection the body of a loop can call the store, and so can others.
func TestListWithOneConnection(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				c.DB, c.Create, c.OwnerOf = db.open(t, db.hasty()), true, ownerOf
				c.DB.SetMaxOpenConns(1)
				s := newStore(t, c)
				const sessions = 1100 // more than a page
				for i := range sessions {
					create(t, s, store.Record{ID: fmt.Sprint(i), Owner: "user:1", Data: []byte(`{"__nestsession":{"owner":"user:1"}}`), Expires: time.Now().Add(time.Hour)})
				}
				n := 0
				for r, err := range s.List(t.Context(), "user:1") {
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.Load(t.Context(), r.ID); err != nil {
						t.Fatalf("Load in the body: %v", err)
					}
					if n++; n%2 == 0 {
						if err := s.Delete(t.Context(), r.ID); err != nil {
							t.Fatalf("Delete in the body: %v", err)
						}
					}
				}
				if n != sessions {
					t.Errorf("%d sessions listed, want %d", n, sessions)
				}
			})
		}
	}
}

// A listing holds a page, and pages of large sessions are short.
func TestLongListHoldsLittle(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	s := newStore(t, sqlstore.Config{DB: db.open(t, db.hasty()), Dialect: sqlstore.SQLite, Create: true})
	const sessions, size = 300, 1 << 20
	data := bytes.Repeat([]byte("x"), size)
	for i := range sessions {
		r := store.Record{ID: fmt.Sprintf("%03d", i), Data: data[:10]}
		if i > 20 {
			r.Data = data
		}
		create(t, s, r)
	}
	n := 0
	var most uint64
	for r, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%20 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		_ = r
	}
	if n != sessions {
		t.Errorf("%d sessions listed", n)
	}
	if most > sessions/2*size {
		t.Errorf("%d MiB were held of %d", most>>20, sessions*size>>20)
	}
}

// Where nobody can say whose a session is, listing by owner says what to set, and
// everything else works.
func TestOwnersThatNobodyKnows(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sqlstore.Config{DB: newDatabase(t, l.dialect).open(t), Dialect: l.dialect, Layout: l.layout, Create: true}
			s := newStore(t, c)
			create(t, s, store.Record{ID: "id", Owner: "user:1", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			wantListed(t, s, "", "id")
			for r, err := range s.List(t.Context(), "user:1") {
				if !errors.Is(err, errors.ErrUnsupported) || r.ID != "" {
					t.Errorf("List by owner: %+v, %v", r, err)
				}
			}

			// With OwnerOf an owner that would get lost is refused.
			c.OwnerOf = ownerOf
			s = newStore(t, c)
			r := store.Record{ID: "lost", Owner: "user:1", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
			if _, err := s.Create(t.Context(), r); err == nil {
				t.Error("Create kept a session whose owner nobody will find")
			}
			r.ID, r.Version = "id", 1
			if _, err := s.Update(t.Context(), r); err == nil || errors.Is(err, store.ErrConflict) {
				t.Errorf("Update: %v", err)
			}
			r.ID, r.Data = "found", []byte(`{"__nestsession":{"owner":"user:1"}}`)
			create(t, s, r)
			wantListed(t, s, "user:1", "found")
		})
	}
}

// Calls that come after Close, or while it runs, end with ErrClosed or as if there
// were none, and leave nothing behind in the pool.
func TestCloseWhileInUse(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sqlstore.Config{DB: newDatabase(t, d).open(t), Dialect: d, Create: true, SweepInterval: time.Millisecond}
			s := newStore(t, c)
			create(t, s, store.Record{ID: "id", Data: []byte("{}")})
			done := make(chan error, 4)
			for range cap(done) {
				go func() {
					for {
						if _, err := s.Load(t.Context(), "id"); err != nil {
							done <- err
							return
						}
					}
				}()
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			for range cap(done) {
				if err := <-done; !errors.Is(err, store.ErrClosed) {
					t.Errorf("Load beside Close: %v", err)
				}
			}
			if n := c.DB.Stats().InUse; n != 0 {
				t.Errorf("%d connections are still in use", n)
			}
			fiveMethods(t, newStore(t, c))
		})
	}
}

// Rows whose id somebody has put in as a blob are no sessions to Load, and a listing gets
// past them.
func TestListPassesBlobs(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	pool := db.open(t, db.hasty())
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite, Create: true})
	create(t, s, store.Record{ID: "text", Data: []byte("1"), Expires: time.Now().Add(time.Hour)})
	const rows = 300 // more than a page
	for i := range rows {
		if _, err := pool.ExecContext(t.Context(), `INSERT INTO nest_sessions (id, owner, data, expires) SELECT CAST(id || ? AS BLOB), owner, data, expires FROM nest_sessions WHERE id = 'text'`, i); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for r, err := range s.List(t.Context(), "") {
		if err != nil || r.ID != "text" {
			t.Fatalf("listed %q, %v", r.ID, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("listed %d sessions, want 1", n)
	}
}
