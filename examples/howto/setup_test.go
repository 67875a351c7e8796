package howto_test

import (
	"database/sql"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/examples/internal/browser"
)

const password = "correct horse battery"

// newApp is the shop with the users ada, who is an administrator, and grace.
func newApp(t *testing.T, cfg session.Config) (*howto.App, map[string]howto.User) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // SQLite has one writer
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, hash BLOB, admin BOOLEAN)"); err != nil {
		t.Fatal(err)
	}
	a := &howto.App{Sessions: newManager(t, cfg), Users: &howto.Users{DB: db}}
	users := map[string]howto.User{}
	for _, name := range []string{"ada", "grace"} {
		if users[name], err = a.Users.Add(t.Context(), name, password, name == "ada"); err != nil {
			t.Fatal(err)
		}
	}
	return a, users
}

func newManager(t *testing.T, cfg session.Config) *howto.Manager {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{"a secret for tests, 32 bytes or so"}
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Devices = howto.Kept
	m, err := session.New[howto.Account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// login logs a user in, in a browser that has been there or in a new one.
func login(t *testing.T, h http.Handler, b *browser.Browser, name string) *browser.Browser {
	t.Helper()
	if b == nil {
		b = browser.New()
	}
	if got := b.Visit(h, "POST", "/login?name="+name+"&password=correct+horse+battery"); got != "303" {
		t.Fatalf("the login of %s: %s", name, got)
	}
	return b
}
