package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/sqlstore"
)

// TestWrongPassword: the constructor of a store that cannot log in returns an error with the user's
// name and without the password.
func TestWrongPassword(t *testing.T) {
	watchGoroutines(t)
	p, m, r := servers.StartPostgres(t, servers.PostgresOptions{}), servers.StartMariaDB(t, servers.MariaDBOptions{}), servers.SharedRedis(t)
	const wrong = "an0ther-p4ssw0rd"
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	tests := map[string]struct {
		open func() error
		want string
	}{
		"postgres": {func() error {
			db := openDB(t, "pgx", strings.Replace(p.NewDatabase(t), p.Password(), wrong, 1))
			_, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.Postgres})
			return err
		}, `password authentication failed for user "nest"`},
		"mariadb": {func() error {
			db := openDB(t, "mysql", strings.Replace(m.NewDatabase(t), m.Password(), wrong, 1))
			_, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.MySQL})
			return err
		}, "Access denied for user 'nest'"},
		"redis": {func() error {
			c, err := rueidis.NewClient(redisOption(wrong, r.Addr()))
			if err == nil {
				c.Close()
			}
			return err
		}, "WRONGPASS"},
		"redis without": {func() error {
			c, err := rueidis.NewClient(redisOption("", r.Addr()))
			if err == nil {
				c.Close()
			}
			return err
		}, "NOAUTH"},
	}
	for name, test := range tests {
		err := test.open()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if text := fmt.Sprintf("%+v", err); strings.Contains(text, wrong) || strings.Contains(text, p.Password()) {
			t.Errorf("%s: the error holds a password: %s", name, text)
		}
	}
}

// TestChangedPassword: the password is changed while the application runs. It sends the error
// response until the password is right again, and logs nobody out.
func TestChangedPassword(t *testing.T) {
	watchGoroutines(t)
	t.Run("on", func(t *testing.T) {
		ctx := context.Background()
		t.Run("redis", func(t *testing.T) {
			t.Parallel()
			r := servers.StartRedis(t, servers.RedisOptions{Password: password})
			b := redisBackend(r)
			locks := func(from, to string) {
				conn := redisOption(from, r.Addr())
				c, err := rueidis.NewClient(conn)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.Do(ctx, c.B().Arbitrary("CONFIG", "SET", "requirepass").Args(to).Build()).Error(); err != nil {
					t.Fatal(err)
				}
				if err := c.Do(ctx, c.B().Arbitrary("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			lockedOut(t, b, func() { locks(b.password, "changed") }, func() { locks("changed", b.password) })
		})
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			p := servers.StartPostgres(t, servers.PostgresOptions{})
			set := func(password string) {
				p.Exec(t, "postgres", "ALTER ROLE nest PASSWORD '"+password+"'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nest'")
			}
			lockedOut(t, postgresBackend(t, p), func() { set("changed") }, func() { set(p.Password()) })
		})
		t.Run("mariadb", func(t *testing.T) {
			t.Parallel()
			m := servers.StartMariaDB(t, servers.MariaDBOptions{})
			set := func(password string) {
				m.Exec(t, "mysql", "ALTER USER 'nest'@'127.0.0.1' IDENTIFIED BY '"+password+"'; KILL USER 'nest'@'127.0.0.1'")
			}
			lockedOut(t, mariaBackend(t, m), func() { set("changed") }, func() { set(m.Password()) })
		})
	})
}

// lockedOut has users before, during and after the change of the password.
func lockedOut(t *testing.T, b backend, change, restore func()) {
	n := newNode(t, b.open(t, b.Addr()), time.Second)
	ada := newBrowser(t, "ada")
	ada.mustLogin(n)
	change()
	if a := ada.look(n); a.status != http.StatusServiceUnavailable {
		t.Errorf("with a wrong password: %v", a)
	}
	if a := ada.add(n); a.status != http.StatusServiceUnavailable {
		t.Errorf("with a wrong password: %v", a)
	}
	restore()
	until(t, "ada can save again", func() bool { return ada.add(n).status == http.StatusOK })
	ada.settled(n)
	if log := n.log.String(); strings.Contains(log, b.password) || !strings.Contains(log, "load failed") {
		t.Errorf("the log contains the password, or no reason:\n%s", log)
	}
}

// TestWrongTable: a missing or foreign table makes the constructor fail, with what the table lacks,
// and is not changed.
func TestWrongTable(t *testing.T) {
	watchGoroutines(t)
	p, m := servers.StartPostgres(t, servers.PostgresOptions{}), servers.StartMariaDB(t, servers.MariaDBOptions{})
	databases := map[string]struct {
		driver, dsn string
		dialect     sqlstore.Dialect
		types       string // the id is a number
	}{
		"sqlite":   {"sqlite", sqliteDSN(t.TempDir() + "/sessions.db"), sqlstore.SQLite, "integer"},
		"postgres": {"pgx", p.NewDatabase(t), sqlstore.Postgres, "integer"},
		"mariadb":  {"mysql", m.NewDatabase(t), sqlstore.MySQL, "int"},
	}
	tests := map[string]struct {
		table  string // its columns; "": there is no table
		create bool
		want   []string
	}{
		"missing":                 {"", false, []string{"there is no table", "Config.Create", "CREATE TABLE"}},
		"another program's":       {"sid varchar(100) PRIMARY KEY, sess text", false, []string{"no column", "it has "}},
		"another program's, made": {"sid varchar(100) PRIMARY KEY, sess text", true, []string{"no column", "it has "}},
		"numbers for ids":         {"id INT PRIMARY KEY, owner INT, expires INT, data INT", true, []string{`column "id"`, "has the type"}},
	}
	for on, d := range databases {
		db := openDB(t, d.driver, d.dsn)
		for name, test := range tests {
			table := strings.NewReplacer(" ", "_", "'", "", ",", "").Replace(name)
			if test.table != "" {
				if _, err := db.Exec("CREATE TABLE " + table + " (" + strings.ReplaceAll(test.table, "INT ", d.types+" ") + ")"); err != nil {
					t.Fatal(err)
				}
			}
			s, err := sqlstore.New(context.Background(), sqlstore.Config{DB: db, Dialect: d.dialect, Table: table, Create: test.create})
			if err == nil {
				s.Close()
				t.Errorf("%s: %s: no error", on, name)
				continue
			}
			for _, want := range append(test.want, table) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %s: %v, want %s", on, name, err, want)
				}
			}
			if test.table == "" {
				continue
			}
			rows, err := db.Query("SELECT * FROM " + table)
			if err != nil {
				t.Fatal(err)
			}
			columns, err := rows.Columns()
			if rows.Close(); err != nil || len(columns) != strings.Count(test.table, ",")+1 {
				t.Errorf("%s: %s: the table that was refused has been changed: it has %q, %v", on, name, columns, err)
			}
		}
	}
}

// TestLostTable: when a table is dropped while the application runs, requests fail and the log has
// the reason. When the table is back, everything works without a restart.
func TestLostTable(t *testing.T) {
	watchGoroutines(t)
	t.Run("on", func(t *testing.T) {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			p := servers.StartPostgres(t, servers.PostgresOptions{})
			rename := func(from, to string) { p.Exec(t, "test1", "ALTER TABLE "+from+" RENAME TO "+to) }
			lostTable(t, postgresBackend(t, p), func() { rename("nest_sessions", "gone") }, func() { rename("gone", "nest_sessions") })
		})
		t.Run("mariadb", func(t *testing.T) {
			t.Parallel()
			m := servers.StartMariaDB(t, servers.MariaDBOptions{})
			rename := func(from, to string) { m.Exec(t, "test1", "RENAME TABLE "+from+" TO "+to) }
			lostTable(t, mariaBackend(t, m), func() { rename("nest_sessions", "gone") }, func() { rename("gone", "nest_sessions") })
		})
	})
}

func lostTable(t *testing.T, b backend, lose, restore func()) {
	n := newNode(t, b.open(t, b.Addr()), time.Second)
	ada := newBrowser(t, "ada")
	ada.mustLogin(n)
	if a := ada.add(n); a.status != http.StatusOK {
		t.Fatalf("%v", a)
	}
	lose()
	if a := ada.add(n); a.status != http.StatusServiceUnavailable {
		t.Errorf("without a table: %v", a)
	}
	if a := ada.look(n); a.status != http.StatusServiceUnavailable {
		t.Errorf("without a table: %v", a)
	}
	restore()
	until(t, "ada can save again", func() bool { return ada.add(n).status == http.StatusOK })
	ada.settled(n)
	log := n.log.String()
	if !strings.Contains(log, "nest_sessions") {
		t.Errorf("the log does not contain the reason:\n%s", log)
	}
}
