package pgxstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// Store is a [sqlstore.Store] that can be watched. Make one with [New].
type Store struct {
	*sqlstore.Store
	config Config
	db     *sql.DB
	server *pgxpool.Pool // how the server itself is reached
	zone   string

	mu        sync.Mutex
	watchers  int
	listening *listening // nil: nobody watches
	closed    bool
	closing   chan struct{}
	running   sync.WaitGroup
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Sweeper = (*Store)(nil)
	_ store.Pinger  = (*Store)(nil)
	_ store.Watcher = (*Store)(nil)
)

// New looks at the table and its trigger, and makes them if it is to. The pool is the
// caller's, and stays open; close the Store before it.
//
// Errors: those of [sqlstore.New]; of a trigger that is missing, with the statements that
// would make it; of a server that is a hot standby, of a pooler before it, of a pool that
// may take a standby for the primary. None of them holds the password.
func New(ctx context.Context, pool *pgxpool.Pool, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if pool == nil {
		return nil, errors.New("pgxstore: the pool is nil: open it with pgxpool.New first")
	}
	s := &Store{config: c, server: pool, closing: make(chan struct{})}
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
	defer hangUp(conn)

	s.db = stdlib.OpenDBFromPool(pool)
	table := c.sql()
	table.DB = s.db
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

// Close ends the watching and the sweeping. Calls under way end; later ones answer
// [store.ErrClosed]. The pool stays open. It may be called several times.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		if s.listening != nil {
			s.listening.end()
		}
	}
	s.mu.Unlock()
	s.running.Wait()
	return errors.Join(s.Store.Close(), s.db.Close())
}
