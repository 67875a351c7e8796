package stores_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/stores"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

func TestMain(m *testing.M) {
	setenv("SESSION_SECRET", "a secret of these tests")
	os.Exit(servers.Main(m))
}

// setenv sets a variable, for one test or for all.
func setenv(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

// keepsLogins logs in, starts the application anew, and expects to be logged in.
func keepsLogins(t *testing.T, start func() (*stores.Sessions, error)) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site := &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}
	visit := func(h func(http.ResponseWriter, *http.Request, *session.Session[stores.Account])) {
		t.Helper()
		app, err := start()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := app.Close(); err != nil {
				t.Error(err)
			}
		}()
		r, w := httptest.NewRequest("GET", site.String(), nil), httptest.NewRecorder()
		for _, c := range jar.Cookies(site) {
			r.AddCookie(c)
		}
		app.HandlerFunc(h)(w, r)
		jar.SetCookies(site, w.Result().Cookies())
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		found := 0
		for _, err := range app.List(t.Context(), "user:ada") {
			if found++; err != nil {
				t.Fatal(err)
			}
		}
		if found != 1 {
			t.Errorf("user:ada has %d sessions, want 1", found)
		}
	}
	visit(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[stores.Account]) {
		s.Update(func(a *stores.Account) { a.User = "ada" })
		s.SetOwner("user:ada")
	})
	visit(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[stores.Account]) {
		if user := s.Data().User; user != "ada" {
			t.Errorf("after a restart the user is %q, want ada", user)
		}
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	app, err := stores.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	setenv("SESSION_FILE", filepath.Join(t.TempDir(), "sessions.db"))
	keepsLogins(t, func() (*stores.Sessions, error) { return stores.SQLite(t.Context()) })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	for _, start := range []func(context.Context) (*stores.Sessions, error){stores.Postgres, stores.PostgresWatched} {
		setenv("DATABASE_URL", servers.SharedPostgres(t).NewDatabase(t))
		keepsLogins(t, func() (*stores.Sessions, error) { return start(t.Context()) })
	}
}

func TestMySQL(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "?parseTime=true&loc=Asia%2FSeoul&clientFoundRows=true&interpolateParams=true"} {
		setenv("MYSQL_DSN", servers.SharedMariaDB(t).NewDatabase(t)+settings)
		keepsLogins(t, func() (*stores.Sessions, error) { return stores.MySQL(t.Context()) })
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	for _, start := range []func(context.Context) (*stores.Sessions, error){stores.Redis, stores.RedisWatched} {
		setenv("REDIS_ADDRESS", servers.StartRedis(t, servers.RedisOptions{}).Addr())
		keepsLogins(t, func() (*stores.Sessions, error) { return start(t.Context()) })
	}
}

// The clients for Sentinel and a Cluster, with the layout that Node shares.
func TestRedisWithNode(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]func(t *testing.T) (rueidis.Client, error){
		"sentinel": func(t *testing.T) (rueidis.Client, error) {
			return stores.SentinelClient(servers.StartSentinel(t, servers.SentinelOptions{}).Addrs()...)
		},
		"cluster": func(t *testing.T) (rueidis.Client, error) {
			return stores.ClusterClient(servers.StartRedisCluster(t, servers.ClusterOptions{}).Addrs()...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := connect(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			keepsLogins(t, func() (*stores.Sessions, error) { return stores.RedisWithNode(t.Context(), client) })
		})
	}
}

// The tables of Node applications, made as their packages make them.
func TestSQLWithNode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		driver string
		dsn    func(t *testing.T) string
		layout sqlstore.Config
		open   func(t *testing.T, db *sql.DB) (*sqlstore.Store, error)
	}{
		"connect-sqlite3": {
			"sqlite", func(t *testing.T) string { return "file:" + filepath.Join(t.TempDir(), "node.db") },
			sqlstore.Config{Dialect: sqlstore.SQLite, Layout: sqlstore.ConnectSQLite3},
			func(t *testing.T, db *sql.DB) (*sqlstore.Store, error) { return stores.SQLiteWithNode(t.Context(), db) },
		},
		"connect-pg-simple": {
			"pgx", func(t *testing.T) string { return servers.SharedPostgres(t).NewDatabase(t) },
			sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple},
			func(t *testing.T, db *sql.DB) (*sqlstore.Store, error) {
				return stores.PostgresWithNode(t.Context(), db)
			},
		},
		"express-mysql-session": {
			"mysql", func(t *testing.T) string { return servers.SharedMariaDB(t).NewDatabase(t) },
			sqlstore.Config{Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession},
			func(t *testing.T, db *sql.DB) (*sqlstore.Store, error) { return stores.MySQLWithNode(t.Context(), db) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open(c.driver, c.dsn(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			statements, err := sqlstore.Statements(c.layout)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err := db.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			kept, err := c.open(t, db)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = kept.Close() })
			document := `{"cookie":{"path":"/"},"user":"ada","__nestsession":{"owner":"user:ada"}}`
			r := store.Record{ID: "id", Owner: "user:ada", Data: []byte(document)}
			if _, err := kept.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			got, err := kept.Load(t.Context(), "id")
			if err != nil || string(got.Data) != document || got.Owner != "user:ada" || got.Expires.IsZero() {
				t.Errorf("Load = %+v, %v", got, err)
			}
		})
	}
}
