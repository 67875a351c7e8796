package sqlstore_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// many is how many nodes start at the same moment.
const many = 8

// Any number of nodes may start at once on an empty database.
func TestCreateTogether(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				c.Create, c.SweepInterval = true, -1
				if c.Layout != sqlstore.Native {
					c.OwnerColumn = "owner"
				}
				together(t, db, c)
				together(t, db, c) // and again where the table is
			})
		}
	}
}

func together(t *testing.T, db *database, c sqlstore.Config) {
	t.Helper()
	var starting sync.WaitGroup
	begin := make(chan struct{})
	for range many {
		c := c
		c.DB = db.open(t)
		starting.Go(func() {
			<-begin
			s, err := sqlstore.New(context.Background(), c)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Ping(context.Background()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	starting.Wait()
}

// Without Create nothing is made, and the error says what would make it: run by hand,
// it is enough.
func TestMissingTable(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				c.DB, c.SweepInterval = db.open(t), -1
				if c.Layout != sqlstore.Native {
					c.OwnerColumn = "owner"
				}
				_, err := sqlstore.New(t.Context(), c)
				if err == nil || !strings.Contains(err.Error(), "there is no table") || !strings.Contains(err.Error(), "Config.Create") {
					t.Fatalf("New without a table: %v", err)
				}
				all, failed := sqlstore.Statements(c)
				if failed != nil {
					t.Fatal(failed)
				}
				for _, text := range all {
					if !strings.Contains(err.Error(), text+";") {
						t.Errorf("the error does not say %s", text)
					}
					run(t, c.DB, text)
				}
				s := newStore(t, c)
				fiveMethods(t, s)
				for r, err := range s.List(t.Context(), "user:1") {
					t.Errorf("List of an empty table: %v, %v", r, err)
				}
			})
		}
	}
}

// A native table as some first version might have made it: no owner, no index.
var firstVersion = map[sqlstore.Dialect]string{
	sqlstore.SQLite:   "CREATE TABLE nest_sessions (id TEXT PRIMARY KEY, expires INTEGER NOT NULL, data TEXT NOT NULL)",
	sqlstore.Postgres: "CREATE TABLE nest_sessions (id bytea PRIMARY KEY, expires bigint NOT NULL, data bytea NOT NULL)",
	sqlstore.MySQL:    "CREATE TABLE nest_sessions (id varbinary(255) PRIMARY KEY, expires bigint NOT NULL, data mediumblob NOT NULL)",
}

// Create brings an older table up to date, and keeps its sessions.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, d)
			pool := db.open(t)
			run(t, pool, firstVersion[d])
			run(t, pool, "INSERT INTO nest_sessions (id, expires, data) VALUES ('old', 9223372036854775807, '{}')")
			c := sqlstore.Config{DB: pool, Dialect: d, SweepInterval: -1}
			if _, err := sqlstore.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "lacks") || !strings.Contains(err.Error(), "ADD COLUMN") {
				t.Fatalf("New on an old table: %v", err)
			}
			c.Create = true
			together(t, db, c)
			s := newStore(t, c)
			r, err := s.Load(t.Context(), "old")
			if err != nil || r.Owner != "" || string(r.Data) != "{}" || !r.Expires.IsZero() {
				t.Fatalf("the session of the old table: %+v, %v", r, err)
			}
			r.Owner = "user:1"
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			wantListed(t, s, "user:1", "old")
			c.Create = false
			newStore(t, c) // nothing is missing any more
			if d == sqlstore.MySQL {
				_, err := s.Create(t.Context(), store.Record{ID: strings.Repeat("x", 256)})
				if err == nil || !strings.Contains(err.Error(), "longer") {
					t.Errorf("an id longer than the column: %v", err)
				}
			}
		})
	}
}

// wantListed checks which ids are listed, in any order.
func wantListed(t *testing.T, s store.Lister, owner string, want ...string) {
	t.Helper()
	var got []string
	for r, err := range s.List(context.Background(), owner) {
		if err != nil {
			t.Error(err)
			return
		}
		got = append(got, r.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("List of %q: %q, want %q", owner, got, want)
	}
}

// A table that cannot keep sessions is refused by New, and not by a request.
func TestUnfitTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config sqlstore.Config
		table  string
		want   string
	}{
		{"no column", sqlstore.Config{Dialect: sqlstore.SQLite}, "CREATE TABLE nest_sessions (sid TEXT PRIMARY KEY, owner TEXT, expires INTEGER, data TEXT)", `no column "id"; it has sid, owner`},
		{"no key", sqlstore.Config{Dialect: sqlstore.SQLite}, "CREATE TABLE nest_sessions (id TEXT, owner TEXT, expires INTEGER, data TEXT)", "kept twice"},
		{"key of two", sqlstore.Config{Dialect: sqlstore.Postgres}, "CREATE TABLE nest_sessions (id bytea, owner bytea, expires bigint, data bytea, PRIMARY KEY (id, owner))", "kept twice"},
		{"part of a key", sqlstore.Config{Dialect: sqlstore.MySQL}, "CREATE TABLE nest_sessions (id varbinary(255), owner varbinary(255), expires bigint, data blob, UNIQUE KEY (id(10)))", "kept twice"},
		{"text for bytes", sqlstore.Config{Dialect: sqlstore.Postgres}, "CREATE TABLE nest_sessions (id text PRIMARY KEY, owner bytea, expires bigint, data bytea)", `column "id" of "nest_sessions" has the type text, want bytea`},
		{"case in MySQL", sqlstore.Config{Dialect: sqlstore.MySQL}, "CREATE TABLE nest_sessions (id varchar(255) PRIMARY KEY, owner varbinary(255), expires bigint, data blob)", "want varbinary"},
		{"no time", sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple}, "CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire bigint)", `"expire" of "session" has the type bigint, want timestamp`},
		{"char", sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple}, "CREATE TABLE session (sid char(64) PRIMARY KEY, sess json, expire timestamp)", "want varchar"},
		{"bytes for json", sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple}, "CREATE TABLE session (sid varchar PRIMARY KEY, sess bytea, expire timestamp)", "want json"},
		{"json", sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession}, "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int unsigned, data longblob)", "want mediumtext"},
		{"latin1", sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession}, "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int unsigned, data mediumtext) CHARSET latin1", "utf8mb4"},
		{
			"an owner that breaks Node", sqlstore.Config{Dialect: sqlstore.SQLite, Layout: sqlstore.ConnectSQLite3, OwnerColumn: "owner"},
			"CREATE TABLE sessions (sid PRIMARY KEY, expired, sess, owner TEXT)", "it would fail",
		},
		{
			"a generated owner", sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple, OwnerColumn: "owner"},
			"CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire timestamp, owner text GENERATED ALWAYS AS ('x') STORED)", "cannot write",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := test.config
			c.DB, c.Create = newDatabase(t, c.Dialect).open(t), true
			run(t, c.DB, test.table)
			s, err := sqlstore.New(t.Context(), c)
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "`", `"`), test.want) {
				t.Errorf("New: %v, want %q", err, test.want)
			}
		})
	}
}

// The table may be in another schema.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, d)
			c := sqlstore.Config{DB: db.open(t), Dialect: d, Create: true, SweepInterval: -1, Schema: `app "x" schema`}
			switch d {
			case sqlstore.Postgres:
				run(t, c.DB, `CREATE SCHEMA "app ""x"" schema"`)
			case sqlstore.MySQL:
				other := newDatabase(t, d)
				c.Schema = other.dsn[strings.LastIndex(other.dsn, "/")+1:]
			case sqlstore.SQLite:
				c.DB.SetMaxOpenConns(1)
				run(t, c.DB, `ATTACH ? AS "app ""x"" schema"`, db.dsn+".other")
			}
			s := newStore(t, c)
			fiveMethods(t, s)
			create(t, s, store.Record{ID: "id", Owner: "user:1", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)})
			wantListed(t, s, "user:1", "id")
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			here := sqlstore.Config{DB: c.DB, Dialect: d, Create: true}
			wantListed(t, newStore(t, here), "") // a table of its own
			c.Schema = "nowhere"
			if _, err := sqlstore.New(t.Context(), c); err == nil {
				t.Error("New made a table in a schema that there is not")
			}
		})
	}
}
