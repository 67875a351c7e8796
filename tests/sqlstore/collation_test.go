package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Tables of other programs in which the database takes one id for another.
var laxTables = map[string]struct {
	config sqlstore.Config
	table  []string
	twins  []string // what the column takes for "Session-a"
}{
	"MariaDB ignores case": {
		sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession},
		[]string{"CREATE TABLE sessions (session_id varchar(128) COLLATE utf8mb4_general_ci PRIMARY KEY, expires int unsigned NOT NULL, data mediumtext)"},
		[]string{"session-A", "SESSION-a", "Session-a ", "Session-á"},
	},
	"MariaDB pads, as the package makes it": {
		sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession, Create: true},
		nil,
		[]string{"Session-a ", "Session-a  "},
	},
	"MariaDB with three bytes a character": {
		sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession},
		[]string{"CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int unsigned NOT NULL, data text) CHARSET utf8mb3"},
		[]string{"session-A", "Session-a "},
	},
	"Postgres ignores case by collation": {
		sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple},
		[]string{
			"CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
			"CREATE TABLE session (sid varchar COLLATE lax PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)",
		},
		[]string{"session-A", "SESSION-a", "Session-á"},
	},
	"Postgres ignores case by type": {
		sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple},
		[]string{
			"CREATE EXTENSION citext",
			"CREATE TABLE session (sid citext PRIMARY KEY, sess jsonb NOT NULL, expire timestamptz NOT NULL)",
		},
		[]string{"session-A", "SESSION-a"},
	},
	"SQLite ignores case": {
		sqlstore.Config{Dialect: sqlstore.SQLite, Layout: sqlstore.ConnectSQLite3},
		[]string{"CREATE TABLE sessions (sid TEXT COLLATE NOCASE PRIMARY KEY, expired, sess)"},
		[]string{"session-A", "SESSION-a"},
	},
	"SQLite trims": {
		sqlstore.Config{Dialect: sqlstore.SQLite, Layout: sqlstore.BetterSQLite3SessionStore},
		[]string{"CREATE TABLE sessions (sid TEXT NOT NULL COLLATE RTRIM PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL)"},
		[]string{"Session-a ", "Session-a  "},
	},
	"SQLite ignores case, native": {
		sqlstore.Config{Dialect: sqlstore.SQLite},
		[]string{
			"CREATE TABLE nest_sessions (id TEXT COLLATE NOCASE PRIMARY KEY, owner TEXT NOT NULL, expires INTEGER NOT NULL, data TEXT NOT NULL)",
			"CREATE INDEX a ON nest_sessions (owner)", "CREATE INDEX b ON nest_sessions (expires)",
		},
		[]string{"session-A", "SESSION-a"},
	},
}

// Whoever asks with an id that is not quite the session's gets nothing of it.
func TestIDsThatTheColumnTakesForAnother(t *testing.T) {
	t.Parallel()
	for name, test := range laxTables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, clock := test.config, newClock()
			c.DB, c.Now = newDatabase(t, c.Dialect).open(t), clock.now
			for _, text := range test.table {
				run(t, c.DB, text)
			}
			s := newStore(t, c)
			ctx, far := t.Context(), clock.now().Add(time.Hour)
			r := create(t, s, store.Record{ID: "Session-a", Data: []byte(`{"a":1}`), Expires: far})
			for _, twin := range test.twins {
				other := r
				other.ID, other.Data, other.Expires = twin, []byte(`{"b":2}`), far.Add(time.Hour)
				if got, err := s.Load(ctx, twin); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Load of %q: %s, %v", twin, got.Data, err)
				}
				if _, err := s.Update(ctx, other); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Update of %q: %v", twin, err)
				}
				if err := s.Touch(ctx, twin, far); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Touch of %q: %v", twin, err)
				}
				if err := s.Delete(ctx, twin); err != nil {
					t.Errorf("Delete of %q: %v", twin, err)
				}
				_, err := s.Create(ctx, other)
				if err == nil || errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), "collation") {
					t.Errorf("Create of %q: %v, want the reason", twin, err)
				}
				if err != nil && strings.Contains(err.Error(), twin) {
					t.Errorf("the error tells the id: %v", err)
				}
				if got, err := s.Load(ctx, r.ID); err != nil || strings.ReplaceAll(string(got.Data), " ", "") != `{"a":1}` || got.Version != r.Version {
					t.Errorf("after all that with %q: %+v, %v", twin, got, err)
				}
			}
			wantListed(t, s, "", "Session-a")

			// Nor is an expired one replaced by its twin.
			clock.advance(2 * time.Hour)
			twin := store.Record{ID: test.twins[0], Data: []byte(`{"b":2}`), Expires: clock.now().Add(time.Hour)}
			if _, err := s.Create(ctx, twin); err == nil {
				t.Error("Create took the place of an expired session of another id")
			}
			if n, err := s.Sweep(ctx); n != 1 || err != nil {
				t.Errorf("Sweep removed %d, %v", n, err)
			}
			create(t, s, twin)
		})
	}
}

// What the column cannot keep is refused, and never cut, padded or replaced, whatever
// the server's mode.
func TestWhatTheColumnCannotKeep(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.MySQL)
	pool := db.open(t, "?sql_mode=''")
	run(t, pool, "CREATE TABLE sessions (session_id varchar(64) PRIMARY KEY, expires int unsigned NOT NULL, data text) CHARSET utf8mb3")
	s := newStore(t, sqlstore.Config{DB: pool, Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession})
	widest := create(t, s, store.Record{ID: strings.Repeat("세", 64), Data: []byte(`{}`)}) // characters, not bytes
	refused := map[string]store.Record{
		"long":             {ID: strings.Repeat("x", 65), Data: []byte(`{}`)},
		"no text":          {ID: "a\xff", Data: []byte(`{}`)},
		"NUL":              {ID: "a\x00", Data: []byte(`{}`)},
		"four bytes":       {ID: "🍪", Data: []byte(`{}`)},
		"data":             {ID: "a", Data: []byte(`{"a":"` + strings.Repeat("x", 1<<16) + `"}`)},
		"data, no text":    {ID: "a", Data: []byte{'"', 0xff, '"'}},
		"data, four bytes": {ID: "a", Data: []byte(`{"a":"🍪"}`)},
		"empty":            {Data: []byte(`{}`)},
	}
	for name, r := range refused {
		if _, err := s.Create(t.Context(), r); err == nil {
			t.Errorf("%s: Create kept it", name)
		}
		if name != "empty" && !strings.HasPrefix(name, "data") {
			r.Version = 1
			_, updated := s.Update(t.Context(), r)
			_, loaded := s.Load(t.Context(), r.ID)
			for _, err := range []error{updated, loaded, s.Touch(t.Context(), r.ID, time.Now())} {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %v, want ErrNotFound", name, err)
				}
			}
			if err := s.Delete(t.Context(), r.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r.ID == "a" {
			r.ID, r.Version = widest.ID, widest.Version
			if _, err := s.Update(t.Context(), r); err == nil || errors.Is(err, store.ErrConflict) {
				t.Errorf("%s: Update: %v", name, err)
			}
		}
	}
	wantListed(t, s, "", widest.ID)
}

// The native tables keep any bytes as an id, and as an owner.
func TestAnyID(t *testing.T) {
	t.Parallel()
	ids := []string{"a\x00b", "a\x00c", "\x00", "\xff", "\xfe", "a\xc3", strings.Repeat("x", sqlstore.MaxID)}
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, sqlstore.Config{DB: newDatabase(t, d).open(t), Dialect: d, Create: true})
			for _, id := range ids {
				create(t, s, store.Record{ID: id, Owner: "o" + id[:min(len(id), sqlstore.MaxOwner-1)], Data: []byte(id)})
			}
			for _, id := range ids {
				r, err := s.Load(t.Context(), id)
				if err != nil || string(r.Data) != id {
					t.Errorf("Load of %q: %q, %v", id, r.Data, err)
				}
				wantListed(t, s, r.Owner, id)
			}
			if _, err := s.Create(t.Context(), store.Record{ID: "x", Owner: strings.Repeat("x", sqlstore.MaxOwner+1)}); err == nil {
				t.Error("a longer owner was kept")
			}
		})
	}
}
