package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A file of SQLite with the driver modernc.org/sqlite.
func Example() {
	dir, err := os.MkdirTemp("", "sqlstore")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sql.Open("sqlite", filepath.Join(dir, "sessions.db")+"?_pragma=journal_mode(wal)")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()

	ctx := context.Background()
	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = kept.Close() }()

	r := store.Record{ID: "id", Owner: "user:42", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)}
	if r.Version, err = kept.Create(ctx, r); err != nil {
		log.Fatal(err)
	}
	r.Data = []byte(`{"cart":["tea"]}`)
	_, err = kept.Update(ctx, r)
	fmt.Println("updated:", err)
	_, err = kept.Update(ctx, r) // the version has been replaced
	fmt.Println("updated again:", errors.Is(err, store.ErrConflict))
	for r, err := range kept.List(ctx, "user:42") {
		fmt.Printf("%s %s %v\n", r.ID, r.Data, err)
	}
	// Output:
	// updated: <nil>
	// updated again: true
	// id {"cart":["tea"]} <nil>
}

// The table of a Node application, with a session that Node has kept there.
func Example_layout() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // a database in memory is the connection's own
	expired := time.Now().Add(time.Hour).UnixMilli()
	if _, err := db.Exec(`CREATE TABLE sessions (sid PRIMARY KEY, expired, sess); INSERT INTO sessions VALUES ('node', ?, '{"cookie":{},"user":"ada"}')`, expired); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Layout: sqlstore.ConnectSQLite3})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	r, err := kept.Load(ctx, "node")
	fmt.Printf("%s %v\n", r.Data, err)
	// Output:
	// {"cookie":{},"user":"ada"} <nil>
}
