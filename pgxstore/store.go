package pgxstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Store is a [sqlstore.Store] that is a [store.Watcher]. Make one with [New].
type Store struct {
	*sqlstore.Store
	config  Config
	pool    *pgxpool.Pool
	db      *sql.DB       // on pool
	server  *pgxpool.Pool // its settings lead to the server itself
	zone    string
	changes feed.Source
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Sweeper = (*Store)(nil)
	_ store.Pinger  = (*Store)(nil)
	_ store.Watcher = (*Store)(nil)
)

// New checks the table and its trigger, and creates them if Config.Create says so. The pool
// is the caller's and stays open; close the Store before it.
//
// New returns the errors of [sqlstore.New], and an error for a missing trigger, with the
// statements that would make it; a server that is a hot standby; a pooler in front of the
// server; and a pool that may connect to a standby. No error holds the password.
func New(ctx context.Context, pool *pgxpool.Pool, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if pool == nil {
		return nil, errors.New("pgxstore: the pool is nil: open it with pgxpool.New first")
	}
	s := &Store{config: c, pool: pool, server: pool}
	s.changes = feed.Source{Listen: s.listen, Logger: c.Logger, Package: "pgxstore", Where: slog.String("table", c.Table)}
	if c.Direct != nil {
		s.server = c.Direct
	}
	for _, p := range []*pgxpool.Pool{pool, s.server} {
		if err := checkHosts(p); err != nil {
			return nil, err
		}
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer closeConn(conn)

	s.db = stdlib.OpenDBFromPool(pool)
	table := c.sql()
	table.DB, table.Row = s.db, s.row
	if s.Store, err = sqlstore.New(ctx, table); err != nil {
		_ = s.db.Close()
		return nil, err
	}
	s.zone = s.TimeZone()
	err = s.ensure(ctx, conn)
	if err == nil && c.Direct != nil {
		err = s.sameTable(ctx, pool, conn)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// row is the store's [sqlstore.Config.Row]: most of what database/sql adds to a call is for a
// connection that it takes from the pool and gives back.
func (s *Store) row(ctx context.Context, statement string, args, dest []any) error {
	for i, d := range dest {
		if n, ok := d.(*int64); ok {
			dest[i] = (*number)(n)
		}
	}
	err := s.pool.QueryRow(ctx, statement, args...).Scan(dest...)
	if pgconn.SafeToRetry(err) {
		return driver.ErrBadConn
	}
	return err // pgx.ErrNoRows is sql.ErrNoRows
}

// number scans a bigint, or the xid of a row, which pgx does not scan into an int64.
type number int64

var (
	_ pgtype.Int64Scanner  = (*number)(nil)
	_ pgtype.Uint32Scanner = (*number)(nil)
)

var errNull = errors.New("a number of the row is NULL")

// ScanInt64 implements [pgtype.Int64Scanner].
func (n *number) ScanInt64(v pgtype.Int8) error {
	if !v.Valid {
		return errNull
	}
	*n = number(v.Int64)
	return nil
}

// ScanUint32 implements [pgtype.Uint32Scanner].
func (n *number) ScanUint32(v pgtype.Uint32) error {
	if !v.Valid {
		return errNull
	}
	*n = number(v.Uint32)
	return nil
}

// Close stops watching and sweeping. Calls in progress end; later ones return
// [store.ErrClosed]. The pool stays open. Close may be called multiple times.
func (s *Store) Close() error {
	s.changes.Close()
	return errors.Join(s.Store.Close(), s.db.Close())
}
