package faults

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// TestDiskFull: SQLite has no more room. A logged-in user stays logged in, a login gets the error
// response, and each logout frees room.
func TestDiskFull(t *testing.T) {
	watchGoroutines(t)
	t.Run("sqlite", func(t *testing.T) {
		file := sqliteDSN(t.TempDir() + "/sessions.db")
		const pages = 16
		full := openSQL(t, "sqlite", file+fmt.Sprintf("&_pragma=max_page_count(%d)", pages), sqlstore.SQLite)
		n := newNode(t, full, unhurried)
		var users []*browser
		refused := false
		for i := 0; i < 1000 && !refused; i++ {
			b := newBrowser(t, fmt.Sprintf("user%d", i))
			switch a := b.login(n); a.status {
			case http.StatusOK:
				users = append(users, b)
			case http.StatusServiceUnavailable:
				refused = true
			default:
				t.Fatalf("%v", a)
			}
		}
		if !refused || len(users) < 10 {
			t.Fatalf("%d users logged in with %d pages; the last was refused: %v", len(users), pages, refused)
		}
		if log := n.log.String(); !strings.Contains(log, "disk is full") {
			t.Errorf("the log does not say that the disk is full:\n%s", log)
		}
		for _, b := range users {
			if a := b.look(n); a.status != http.StatusOK {
				t.Fatalf("%s: %v", b.user, a)
			}
			b.add(n) // which may need room, or not
			b.settled(n)
		}
		for i, b := range users[:len(users)/2] {
			b.mustLogout(n, []string{"/logout", "/everywhere"}[i%2])
		}
		// The record that a logout keeps for the grace period is small, and its room is freed when
		// it is swept.
		lister, _ := store.As[store.Lister](full)
		for r, err := range lister.List(t.Context(), "") {
			if err == nil && strings.Contains(string(r.Data), `"ended":true`) {
				err = full.Delete(t.Context(), r.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			b := newBrowser(t, fmt.Sprintf("late%d", i))
			b.mustLogin(n)
			users = append(users, b)
		}
		for _, b := range users {
			b.settled(n)
		}
	})
}

// TestLockedDatabase: another program holds SQLite's write lock for longer than any request waits.
// Reads work; saves end at their deadline.
func TestLockedDatabase(t *testing.T) {
	watchGoroutines(t)
	t.Run("sqlite", func(t *testing.T) {
		file := sqliteDSN(t.TempDir() + "/sessions.db")
		n := newNode(t, openSQL(t, "sqlite", file, sqlstore.SQLite), hurried)
		ada := newBrowser(t, "ada")
		ada.mustLogin(n)
		lock := exclusive(t, openDB(t, "sqlite", file))
		ada.mustLook(n)
		if a := ada.add(n); a.status != http.StatusServiceUnavailable {
			t.Errorf("saving: %v", a)
		}
		if a := ada.logout(n, "/logout"); a.status != http.StatusServiceUnavailable {
			t.Errorf("logging out: %v", a)
		}
		if a := ada.send(n, "GET", "/plain"); a.status != http.StatusOK {
			t.Errorf("a page without a session: %v", a)
		}
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
		until(t, "ada can save again", func() bool { return ada.add(n).status == http.StatusOK })
		ada.settled(n)
	})
}

// exclusive takes the write lock.
func exclusive(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.Begin() // immediate, because of the connection string
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// TestReadOnlyDatabase: a node that cannot write to the file fails when it starts, and not at the
// first login. Other nodes are not affected.
func TestReadOnlyDatabase(t *testing.T) {
	watchGoroutines(t)
	t.Run("sqlite", func(t *testing.T) {
		file := sqliteDSN(t.TempDir() + "/sessions.db")
		n := newNode(t, openSQL(t, "sqlite", file, sqlstore.SQLite), unhurried)
		ada := newBrowser(t, "ada")
		ada.mustLogin(n)
		db := openDB(t, "sqlite", file+"&mode=ro")
		if _, err := sqlstore.New(t.Context(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite}); err == nil || !strings.Contains(err.Error(), "readonly database") {
			t.Errorf("New: %v", err)
		}
		ada.mustAdd(n)
		ada.settled(n)
	})
}
