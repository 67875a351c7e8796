package pgxstore_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/sqlstore"
)

// example takes the place of a test where an example needs a server, and cleans up after it.
type example struct{ testing.TB }

func (example) Helper()                           {}
func (example) Cleanup(func())                    {}
func (example) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// databaseURL is the URL of an empty database; an application gets it from its environment.
func databaseURL() string { return servers.SharedPostgres(example{}).NewDatabase(example{}) }

// Two nodes: one drops a session from its memory when the other changes it.
func ExampleNew() {
	ctx := context.Background()
	url := databaseURL()
	node := func() (near *nearcache.Cache, stop func()) {
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		kept, err := pgxstore.New(ctx, pool, pgxstore.Config{Create: true})
		if err != nil {
			log.Fatal(err)
		}
		if near, err = nearcache.New(kept, nearcache.Config{}); err != nil {
			log.Fatal(err)
		}
		return near, func() { _, _ = near.Close(), kept.Close(); pool.Close() }
	}
	one, stop := node()
	defer stop()
	two, stop := node()
	defer stop()

	r := store.Record{ID: "id", Data: []byte(`{"cart":[]}`), Expires: time.Now().Add(time.Hour)}
	r.Version, _ = one.Create(ctx, r)
	old, _ := two.Load(ctx, "id") // in its memory from now on
	fmt.Printf("%s\n", old.Data)

	r.Data = []byte(`{"cart":["tea"]}`)
	if _, err := one.Update(ctx, r); err != nil {
		log.Fatal(err)
	}
	for {
		if r, err := two.Load(ctx, "id"); err != nil || string(r.Data) != string(old.Data) {
			fmt.Printf("%s %v\n", r.Data, err)
			break
		}
	}
	// Output:
	// {"cart":[]}
	// {"cart":["tea"]} <nil>
}

// Watch reports changes by any program, here by psql.
func ExampleStore_Watch() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	pool, err := pgxpool.New(ctx, databaseURL())
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	kept, err := pgxstore.New(ctx, pool, pgxstore.Config{Layout: sqlstore.ConnectPgSimple, Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer kept.Close()
	_, err = kept.Create(ctx, store.Record{ID: "id", Data: []byte(`{"cookie":{}}`), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		log.Fatal(err)
	}
	err = kept.Watch(ctx, func(e store.Event) {
		switch {
		case e == store.Event{}:
			fmt.Println("look at everything")
			if _, err := pool.Exec(ctx, `DELETE FROM session WHERE sid = 'id'`); err != nil {
				log.Fatal(err)
			}
		case e.Concerns("id"):
			fmt.Println("changed or ended; ended:", e.Ended)
			stop()
		}
	})
	fmt.Println(err)
	// Output:
	// look at everything
	// changed or ended; ended: true
	// context canceled
}

// An operator who does not let applications make triggers runs these.
func ExampleStatements() {
	all, err := pgxstore.Statements(pgxstore.Config{Layout: sqlstore.ConnectPgSimple})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range all {
		head, _, _ := strings.Cut(text, " AS ") // and the function's body
		fmt.Println(head)
	}
	// Output:
	// CREATE TABLE IF NOT EXISTS "session" ("sid" varchar NOT NULL COLLATE "default" PRIMARY KEY, "sess" json NOT NULL, "expire" timestamp(6) NOT NULL)
	// CREATE INDEX IF NOT EXISTS "IDX_session_expire" ON "session" ("expire")
	// CREATE UNLOGGED TABLE IF NOT EXISTS "session_nest_changes" (tx bigint NOT NULL, message text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())
	// CREATE INDEX IF NOT EXISTS "session_nest_changes_tx" ON "session_nest_changes" (tx)
	// GRANT SELECT ON "session_nest_changes" TO PUBLIC
	// CREATE OR REPLACE FUNCTION "session_nest_watch"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone FROM CURRENT
	// DROP TRIGGER IF EXISTS nest_watch ON "session"
	// CREATE TRIGGER nest_watch AFTER UPDATE OR DELETE ON "session" FOR EACH ROW EXECUTE FUNCTION "session_nest_watch"()
	// DROP TRIGGER IF EXISTS nest_watch_truncate ON "session"
	// CREATE TRIGGER nest_watch_truncate AFTER TRUNCATE ON "session" FOR EACH STATEMENT EXECUTE FUNCTION "session_nest_watch"()
}
