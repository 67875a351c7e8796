package stores

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// childVariable makes the test's program a server of its own, as Node's is.
const childVariable = "NEST_BENCHMARK_SERVER"

// settings say which store a server is to use.
type settings struct {
	Kind   string `json:"kind"`
	URL    string `json:"url,omitempty"` // as Node's package takes it
	DSN    string `json:"dsn,omitempty"` // as Go's driver takes it
	File   string `json:"file,omitempty"`
	Secret string `json:"secret"`

	Connections int  `json:"connections"` // of a pool
	Rolling     bool `json:"rolling"`     // of @fastify/session: each visit extends the session

	server int // the database's process, 0 for none
}

// serveIfChild serves until standard input is closed, if the variable says so.
func serveIfChild() bool {
	text := os.Getenv(childVariable)
	if text == "" {
		return false
	}
	if err := serveChild(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func serveChild(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	kept, err := openLayout(context.Background(), s)
	if err != nil {
		return err
	}
	config := express.Config(s.Secret)
	config.Store = kept
	config.Cookie.MaxAge = idle
	m, err := session.New[Account](config)
	if err != nil {
		return err
	}
	login, read, write := nestHandlers(m)
	mux := http.NewServeMux()
	mux.Handle("GET /login", login)
	mux.Handle("GET /read", read)
	mux.Handle("GET /write", write)
	mux.Handle("GET /visits", m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		fmt.Fprint(w, s.Data().Visits)
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	return server.Serve(l)
}

// openLayout opens nest's store on the table or keys of the npm package.
func openLayout(ctx context.Context, s settings) (store.Store, error) {
	if s.Kind == "connect-redis" {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.DSN}})
		if err != nil {
			return nil, err
		}
		return redisstore.New(ctx, redisstore.Config{Client: client, Express: true, OwnerOf: session.OwnerOf})
	}
	c := sqlstore.Config{Create: true, SweepInterval: -1, OwnerOf: session.OwnerOf}
	driver := ""
	switch s.Kind {
	case "connect-pg-simple":
		driver, c.Dialect, c.Layout = "pgx", sqlstore.Postgres, sqlstore.ConnectPgSimple
	case "express-mysql-session":
		driver, c.Dialect, c.Layout = "mysql", sqlstore.MySQL, sqlstore.ExpressMySQLSession
	case "better-sqlite3-session-store":
		driver, c.Dialect, c.Layout = "sqlite", sqlstore.SQLite, sqlstore.BetterSQLite3SessionStore
	default:
		return nil, errors.New("no such kind: " + s.Kind)
	}
	db, err := sql.Open(driver, s.DSN)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(s.Connections)
	db.SetMaxIdleConns(s.Connections)
	c.DB = db
	return sqlstore.New(ctx, c)
}
