package fromexpress_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/nestsession/session/examples/fromexpress"
	"github.com/nestsession/session/store/sqlstore"
)

// Sessions that Node has written, in which only Passport says whose they are, are found by
// owner, and end. The table is connect-session-knex's, whose column of the expiry has
// another name.
func TestSessionsOfNodeAreFoundByPassportsUser(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE sessions (sid varchar(255) PRIMARY KEY, sess json NOT NULL, expired datetime NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for sid, document := range map[string]string{
		"a": nodeDocument, "b": nodeDocument,
		"c": `{"cookie":{},"passport":{"user":8}}`, "d": `{"cookie":{},"passport":{}}`, "e": `{"cookie":{}}`,
	} {
		expired := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
		if _, err := db.ExecContext(t.Context(), "INSERT INTO sessions VALUES (?, ?, ?)", sid, document, expired); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := sqlstore.New(t.Context(), sqlstore.Config{
		DB: db, Dialect: sqlstore.SQLite,
		Layout:  sqlstore.BetterSQLite3SessionStore,
		Columns: sqlstore.Columns{Expires: "expired"},
		OwnerOf: fromexpress.OwnerOf,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	sessions, err := fromexpress.Beside(kept)
	if err != nil {
		t.Fatal(err)
	}
	for owner, want := range map[string]int{"user:7": 2, "user:8": 1, "user:": 0} {
		n := 0
		for _, err := range sessions.List(t.Context(), owner) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("%q has %d sessions, want %d", owner, n, want)
		}
	}
	if ended, err := sessions.RevokeOwner(t.Context(), "user:7"); err != nil || ended != 2 {
		t.Errorf("RevokeOwner: %d, %v", ended, err)
	}
	left := 0
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sessions").Scan(&left); err != nil || left != 3 {
		t.Errorf("%d sessions are left, %v", left, err)
	}
}
