package pgxstore_test

import (
	"context"
	osexec "os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// works checks that a change by one node is reported to another.
func works(t *testing.T, dsn string, c pgxstore.Config) {
	t.Helper()
	c.Heartbeat = 50 * time.Millisecond
	here, there := newStore(t, newPool(t, dsn), c), newStore(t, newPool(t, dsn), c)
	e := listenTo(t, there)
	r := record("works")
	create(t, here, r)
	if err := here.Delete(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if got := e.only("a deletion"); got != (store.Event{Digest: store.DigestOf(r.ID), Ended: true}) {
		t.Errorf("got %+v", got)
	}
}

// Any number of nodes may make the table and its trigger at the same time.
func TestManyCreateAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := servers.SharedPostgres(t).NewDatabase(t)
			pool := newPool(t, dsn, "&pool_max_conns=30")
			var all sync.WaitGroup
			for range 12 {
				all.Go(func() {
					s, err := pgxstore.New(context.Background(), pool, c)
					if err != nil {
						t.Error(err)
						return
					}
					_ = s.Close()
				})
			}
			all.Wait()
			works(t, dsn, c)
		})
	}
}

// Without Create, New returns an error with the statements that make what is missing. They
// are sufficient, and so are those of Statements.
func TestStatements(t *testing.T) {
	t.Parallel()
	odd := strings.Repeat(`o"dd 한%d\ $nest$`, 5)[:60]
	tests := map[string]pgxstore.Config{
		"native":          {},
		"connect":         {Layout: sqlstore.ConnectPgSimple},
		"owner":           {Layout: sqlstore.ConnectPgSimple, OwnerColumn: "nest owner", TimeZone: "Asia/Seoul"},
		"schema":          {Schema: `sch"ema`, Table: "t"},
		"odd names":       {Table: strings.ToValidUTF8(odd, ""), Columns: sqlstore.Columns{ID: `i"d$nest$`, Data: "da'ta %s", Expires: "expires\n"}},
		"odd names, Node": {Layout: sqlstore.ConnectPgSimple, Table: strings.Repeat("x", 63), Columns: sqlstore.Columns{ID: `i"d`, Data: "da'ta", Expires: "end"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.SharedPostgres(t)
			fresh := func() (string, *pgxpool.Pool) {
				dsn := server.NewDatabase(t)
				pool := newPool(t, dsn)
				exec(t, pool, `CREATE SCHEMA "sch""ema"`)
				return dsn, pool
			}

			dsn, pool := fresh()
			all, err := pgxstore.Statements(c)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range all {
				exec(t, pool, text)
			}
			for _, text := range all[len(all)-5:] { // may be run again
				exec(t, pool, text)
			}
			works(t, dsn, c)

			dsn, pool = fresh()
			for range 2 { // first the table is missing, then the trigger
				_, err := pgxstore.New(t.Context(), pool, c)
				if err == nil {
					t.Fatal("nothing is said to be missing")
				}
				_, script, ok := strings.Cut(err.Error(), "or run:\n")
				if !ok || !strings.Contains(err.Error(), "Config.Create") {
					t.Fatalf("the error does not say what to do: %v", err)
				}
				exec(t, pool, script)
			}
			works(t, dsn, c)

			dsn, _ = fresh()
			c.Create = true
			works(t, dsn, c)
		})
	}
}

// New detects a trigger that is not as it should be, and makes it again.
func TestWrongTrigger(t *testing.T) {
	t.Parallel()
	c := pgxstore.Config{}
	for name, spoil := range map[string]string{
		"disabled":         "ALTER TABLE nest_sessions DISABLE TRIGGER nest_watch",
		"half of it":       "DROP TRIGGER nest_watch_truncate ON nest_sessions",
		"deletions alone":  "DROP TRIGGER nest_watch ON nest_sessions; CREATE TRIGGER nest_watch AFTER DELETE ON nest_sessions FOR EACH ROW EXECUTE FUNCTION nest_sessions_nest_watch()",
		"some rows":        "DROP TRIGGER nest_watch ON nest_sessions; CREATE TRIGGER nest_watch AFTER UPDATE OR DELETE ON nest_sessions FOR EACH ROW WHEN (OLD.expires > 0) EXECUTE FUNCTION nest_sessions_nest_watch()",
		"one column":       "DROP TRIGGER nest_watch ON nest_sessions; CREATE TRIGGER nest_watch AFTER UPDATE OF data OR DELETE ON nest_sessions FOR EACH ROW EXECUTE FUNCTION nest_sessions_nest_watch()",
		"another function": "CREATE OR REPLACE FUNCTION nest_sessions_nest_watch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'",
		"its search path":  "ALTER FUNCTION nest_sessions_nest_watch() RESET search_path",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := servers.SharedPostgres(t).NewDatabase(t)
			pool := newPool(t, dsn)
			c := c
			c.Create = true
			newStore(t, pool, c)
			exec(t, pool, spoil)
			c.Create = false
			if _, err := pgxstore.New(t.Context(), pool, c); err == nil || !strings.Contains(err.Error(), "CREATE ") {
				t.Errorf("not found out: %v", err)
			}
			c.Create = true
			works(t, dsn, c)
		})
	}
}

// The trigger must have the right time zone for a column without one.
func TestWrongTimeZone(t *testing.T) {
	t.Parallel()
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	pool := newPool(t, dsn)
	c := pgxstore.Config{Layout: sqlstore.ConnectPgSimple, Create: true, TimeZone: "Asia/Seoul"}
	newStore(t, pool, c)
	c.Create, c.TimeZone = false, "Europe/Paris"
	if _, err := pgxstore.New(t.Context(), pool, c); err == nil || !strings.Contains(err.Error(), "Europe/Paris") {
		t.Errorf("%v", err)
	}
	exec(t, pool, `ALTER TABLE session ALTER COLUMN expire TYPE timestamptz`)
	c.TimeZone = ""
	works(t, dsn, c)
}

// Watchers of a table get no events of another, even if the names are similar.
func TestTablesApart(t *testing.T) {
	t.Parallel()
	dsn := servers.SharedPostgres(t).NewDatabase(t)
	pool := newPool(t, dsn)
	exec(t, pool, `CREATE SCHEMA "a.b"; CREATE SCHEMA a; CREATE SCHEMA "A"`)
	long := strings.Repeat("x", 60)
	var recorders []*recorder
	configs := []pgxstore.Config{
		{Schema: "a.b", Table: "c"}, {Schema: "a", Table: "b.c"}, {Schema: "a", Table: "c"}, {Schema: "A", Table: "c"},
		{Schema: "a", Table: "C"}, {Schema: "a", Table: long + "1"}, {Schema: "a", Table: long + "2"},
	}
	var stores []*pgxstore.Store
	for _, c := range configs {
		c.Create, c.Heartbeat = true, 50*time.Millisecond
		s := newStore(t, pool, c)
		stores, recorders = append(stores, s), append(recorders, listenTo(t, s))
	}
	for i, s := range stores {
		create(t, s, record("a"))
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for j, e := range recorders {
			if n := len(e.take()); (n == 1) != (i == j) {
				t.Errorf("a change in %+v: %d events for %+v", configs[i], n, configs[j])
			}
		}
	}
}

// A dump contains everything that is needed.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.SharedPostgres(t)
			from, to := server.NewDatabase(t), server.NewDatabase(t)
			s := newStore(t, newPool(t, from), c)
			create(t, s, record("a"))
			program, err := osexec.LookPath("pg_dump")
			if err != nil {
				t.Fatalf("%v: install postgresql-client", err)
			}
			script, err := osexec.CommandContext(t.Context(), program, "--inserts", from).Output()
			if err != nil {
				t.Fatal(err)
			}
			conn := connect(t, to).PgConn()
			if _, err := conn.Exec(context.Background(), withoutMeta(string(script))).ReadAll(); err != nil {
				t.Fatal(err)
			}
			c.Create = false
			restored := newStore(t, newPool(t, to), c)
			if _, err := restored.Load(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			works(t, to, c)
		})
	}
}

// withoutMeta removes the lines that are only for psql (\restrict).
func withoutMeta(script string) string {
	var kept []string
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, `\`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// Errors name missing rights, and the application needs only rights on rows.
func TestRights(t *testing.T) {
	t.Parallel()
	server := servers.SharedPostgres(t)
	dsn := server.NewDatabase(t)
	owner := newPool(t, dsn)
	name := owner.Config().ConnConfig.Database
	newStore(t, owner, pgxstore.Config{Create: true})
	server.Exec(t, "postgres", "CREATE ROLE app_"+name+" LOGIN PASSWORD 'app'")
	t.Cleanup(func() {
		server.Exec(t, name, "DROP OWNED BY app_"+name)
		server.Exec(t, "postgres", "DROP ROLE app_"+name)
	})
	exec(t, owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON nest_sessions TO app_"+name)
	app := strings.Replace(dsn, owner.Config().ConnConfig.User+":"+server.Password(), "app_"+name+":app", 1)
	works(t, app, pgxstore.Config{})

	exec(t, owner, "DROP TRIGGER nest_watch ON nest_sessions")
	_, err := pgxstore.New(t.Context(), newPool(t, app), pgxstore.Config{Create: true})
	if err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "app:") {
		t.Errorf("%v", err)
	}
}
