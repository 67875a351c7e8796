package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/store/sqlstore"
)

// sqlLayouts are the layouts as sqlstore calls them.
var sqlLayouts = map[storeurl.Layout]sqlstore.Layout{
	storeurl.Native:        sqlstore.Native,
	storeurl.PgSimple:      sqlstore.ConnectPgSimple,
	storeurl.ExpressMySQL:  sqlstore.ExpressMySQLSession,
	storeurl.ConnectSQLite: sqlstore.ConnectSQLite3,
	storeurl.BetterSQLite:  sqlstore.BetterSQLite3SessionStore,
}

// idleTime is how long an unused connection is kept.
const idleTime = 5 * time.Minute

// never is an interval for stores that are not swept.
const never time.Duration = -1

// OpenUsers opens the database of a server, for users instead of sessions. If it cannot be used, the
// error says what to do. See [Explain] for later errors.
func OpenUsers(ctx context.Context, t *storeurl.Target) (*sql.DB, error) {
	o := Options{users: true}
	o.setDefaults()
	opening, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	db, _, err := connect(opening, t, o)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err() // canceled; nothing is wrong with the database
	}
	if err != nil {
		return nil, explain(t, o, err)
	}
	return db, nil
}

// Explain returns an error of a database that [OpenUsers] opened, with what to do and without a
// password.
func Explain(t *storeurl.Target, err error) error {
	o := Options{users: true}
	o.setDefaults()
	return explain(t, o, err)
}

// connect opens the database, with a connection.
func connect(ctx context.Context, t *storeurl.Target, o Options) (*sql.DB, sqlstore.Dialect, error) {
	db, dialect, err := database(t, o)
	if err != nil {
		return nil, 0, err
	}
	db.SetMaxOpenConns(o.Conns)
	db.SetMaxIdleConns(o.Conns)
	db.SetConnMaxIdleTime(idleTime)
	if err := sqlitefile.WhenFree(ctx, func() error { return db.PingContext(ctx) }); err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return db, dialect, nil
}

func openSQL(ctx context.Context, t *storeurl.Target, o Options) (opened *Opened, err error) {
	db, dialect, err := connect(ctx, t, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	cfg := sqlstore.Config{
		DB:          db,
		Dialect:     dialect,
		Layout:      sqlLayouts[t.Layout],
		Schema:      t.Schema,
		Table:       t.Table,
		Columns:     sqlstore.Columns(t.Columns),
		OwnerColumn: t.OwnerColumn,
		TimeZone:    t.TimeZone,
		TTL:         t.TTL,
		Create:      t.Kind == storeurl.SQLite && o.Make,
		Logger:      o.Logger,
	}
	if t.Create != nil {
		cfg.Create = *t.Create
	}
	if t.PlainIDs() {
		cfg.OwnerOf = session.OwnerOf
	}
	if !o.Sweep {
		cfg.SweepInterval = never
	}
	var kept *sqlstore.Store
	err = sqlitefile.WhenFree(ctx, func() (err error) {
		kept, err = sqlstore.New(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, err
	}
	var health *sqlitefile.Health
	if t.Kind == storeurl.SQLite {
		if health, err = sqlitefile.NewHealth(t.Path, db, !t.PlainIDs()); err != nil {
			return nil, errors.Join(err, kept.Close())
		}
	}
	count := func(ctx context.Context) (n int64, err error) {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM "+t.QuotedTable()).Scan(&n)
		return n, err
	}
	return &Opened{Store: kept, Target: t, count: count, health: health, close: closers{kept.Close, db.Close}}, nil
}

// postgresURL is without the password, which an error could quote.
func postgresURL(t *storeurl.Target) string {
	u := url.URL{Scheme: "postgres", Host: t.Hosts[0], Path: "/" + t.Database, RawQuery: t.Driver.Encode()}
	if t.User != "" {
		u.User = url.User(t.User)
	}
	return u.String()
}

// database opens the database, without a connection yet.
func database(t *storeurl.Target, o Options) (*sql.DB, sqlstore.Dialect, error) {
	switch t.Kind {
	case storeurl.SQLite:
		// A file that a Node application made keeps its journal mode.
		db, err := sqlitefile.Open(t.Path, sqlitefile.Options{Make: o.Make, KeepJournal: t.PlainIDs()})
		return db, sqlstore.SQLite, err
	case storeurl.Postgres:
		cfg, err := pgx.ParseConfig(postgresURL(t))
		if err != nil {
			return nil, 0, err
		}
		if t.Password() != "" {
			cfg.Password = t.Password()
		}
		if o.users && t.Schema != "" { // sqlstore writes a schema into its statements instead
			cfg.RuntimeParams["search_path"] = pgx.Identifier{t.Schema}.Sanitize()
		}
		return stdlib.OpenDB(*cfg), sqlstore.Postgres, nil
	case storeurl.MySQL:
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.DBName = "tcp", t.Hosts[0], t.Database
		cfg.User, cfg.Passwd = t.User, t.Password()
		cfg.TLSConfig = t.Driver.Get("tls")
		cfg.Timeout = o.Timeout
		cfg.Logger = &mysql.NopLogger{} // what it would print comes back as an error as well
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, 0, err
		}
		return sql.OpenDB(connector), sqlstore.MySQL, nil
	}
	return nil, 0, fmt.Errorf("stores: %s is not a database", t.Kind)
}
