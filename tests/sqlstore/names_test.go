package sqlstore_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// oddNames are names of which a part would be read as SQL, or as two names, if they
// were not quoted.
var oddNames = []string{
	"select", "SESSIONS", "two words", "a.b", `quo"te`, "back`tick", "it's", "semi; DROP TABLE victims; --",
	`"; DROP TABLE victims; --`, "`; DROP TABLE victims; --", "세션", "$1", "?", "{id}", "a/*b", "100%", `back\slash`, "-1",
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		for layout, c := range configs(d) {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, d)
				pool := db.open(t, db.hasty())
				run(t, pool, "CREATE TABLE victims (a int)")
				for i, odd := range oddNames {
					c := c
					c.DB, c.Create, c.Table = pool, true, odd
					c.Columns = sqlstore.Columns{ID: odd + "1", Data: odd + "2", Expires: odd}
					if c.Layout != sqlstore.Native {
						c.OwnerColumn = odd + "3"
					}
					s := newStore(t, c)
					fiveMethods(t, s)
					data := []byte(`{"__nestsession":{"owner":"user:1"}}`)
					r := store.Record{ID: "kept", Owner: "user:1", Data: data, Expires: time.Now().Add(time.Hour)}
					create(t, s, r)
					wantListed(t, s, "user:1", "kept")
					wantListed(t, s, "", "kept")
					r.ID, r.Expires = "over", time.Now().Add(-time.Hour)
					create(t, s, r)
					if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
						t.Errorf("%q: Sweep removed %d, %v", odd, n, err)
					}
					var got int
					if err := pool.QueryRow("SELECT count(*) FROM victims").Scan(&got); err != nil {
						t.Fatalf("%q was read as SQL: %v", odd, err)
					}
					if tables := count(t, pool, d); tables != i+2 {
						t.Errorf("after %q there are %d tables, want %d", odd, tables, i+2)
					}
				}
			})
		}
	}
}

// count is how many tables there are.
func count(t *testing.T, db *sql.DB, d sqlstore.Dialect) (n int) {
	t.Helper()
	query := map[sqlstore.Dialect]string{
		sqlstore.SQLite:   "SELECT count(*) FROM sqlite_schema WHERE type = 'table'",
		sqlstore.Postgres: "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
		sqlstore.MySQL:    "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
	}[d]
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The longest names that a database keeps make a table of their own, and longer ones
// are refused rather than cut.
func TestLongNames(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			most := map[sqlstore.Dialect]int{sqlstore.SQLite: 1024, sqlstore.Postgres: 63, sqlstore.MySQL: 64}[d]
			db := newDatabase(t, d).open(t)
			for i := range 2 {
				c := sqlstore.Config{DB: db, Dialect: d, Create: true, Table: strings.Repeat("t", most-1) + fmt.Sprint(i)}
				s := newStore(t, c)
				wantListed(t, s, "")
				create(t, s, store.Record{ID: "id", Data: []byte("{}")})
			}
			c := sqlstore.Config{DB: db, Dialect: d, Create: true, Table: strings.Repeat("t", most+1)}
			if _, err := sqlstore.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "longer") {
				t.Errorf("a name of %d: %v", most+1, err)
			}
		})
	}
}
