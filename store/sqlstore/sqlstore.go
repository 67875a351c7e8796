package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

// Store keeps sessions in a table. Make one with [New].
type Store struct {
	config  Config
	dialect dialect
	def     *tableDef
	q       *statements
	limits  limits
	zone    string // of the column's times; "": they are instants
	file    file   // SQLite's

	loads   *batch.Queue[loadCall]   // nil: loads are not batched
	updates *batch.Queue[updateCall] // likewise
	deletes *batch.Queue[deleteCall] // likewise
	writing chan struct{}            // holds one element while a write runs; nil: writes run at the same time

	closed      atomic.Bool
	open        context.Context // ends with Close
	end         context.CancelFunc
	sweeperDone chan struct{}
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Sweeper = (*Store)(nil)
	_ store.Pinger  = (*Store)(nil)
)

// New checks the table, creates it if Config.Create says so, tries it out, prepares the
// statements and starts to sweep. Call Close when the Store is no longer needed.
//
// To try out the table, New creates two sessions, loads, saves, touches and deletes
// them, in a transaction that it rolls back. Triggers run and sequences advance; nothing
// else is left.
//
// New returns an error for a Config that cannot work; a database that cannot be reached or
// is of another dialect; a missing table or column, with the statement that would make it;
// a column that cannot keep sessions; and whatever prevents sessions from being written: a
// missing right, another column that needs a value, a constraint, a trigger, a missing
// partition, a server that takes no writes. No error holds the connection string.
func New(ctx context.Context, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.DB == nil {
		return nil, errors.New("sqlstore: Config.DB is nil: open the database with database/sql and its driver first")
	}
	s := &Store{config: c, dialect: c.dialect(), def: c.tableDef(), sweeperDone: make(chan struct{})}
	if s.def.traits.oneWriter {
		s.writing = make(chan struct{}, 1)
	}
	s.open, s.end = context.WithCancel(context.Background())
	if err := s.start(ctx); err != nil {
		s.end()
		if s.q != nil {
			_ = s.q.close()
		}
		return nil, err
	}
	go s.sweepLoop()
	return s, nil
}

// start is what New does with the database.
func (s *Store) start(ctx context.Context) error {
	if err := s.try(ctx, func() error { return s.config.probe(ctx) }); err != nil {
		return s.failed(ctx, "finding out what the database is", "", err)
	}
	found, err := s.ensure(ctx)
	if err != nil {
		return err
	}
	if err := s.adopt(ctx, found); err != nil {
		return err
	}
	if err := s.checkWidths(); err != nil {
		return err
	}
	s.q = s.def.statements(s.dialect)
	if err := s.tryOut(ctx, found); err != nil {
		return err
	}
	s.makeQueues()
	if err := s.readDirectly(ctx); err != nil {
		return err
	}
	if s.config.Unprepared {
		return nil
	}
	for _, st := range s.q.all() {
		if err := s.try(ctx, func() error { return st.prepare(ctx, s.config.DB) }); err != nil {
			return s.failed(ctx, "preparing the statements for "+s.def.table, "", err)
		}
	}
	return nil
}

// makeQueues makes a queue for each statement that serves many calls.
func (s *Store) makeQueues() {
	if s.q.loadMany.exists() {
		s.loads = s.loadQueue()
	}
	if s.q.updateMany.exists() {
		s.updates = s.updateQueue()
	}
	if s.q.deleteMany.exists() {
		s.deletes = s.deleteQueue()
	}
}

// TimeZone is the zone of the times in a column of type timestamp without time zone:
// [Config.TimeZone], or the zone that New has found out. It is "" for any other column,
// which keeps instants.
func (s *Store) TimeZone() string { return s.zone }

// Close stops sweeping and closes the prepared statements. Calls in progress end; later
// ones return [store.ErrClosed]. The database stays open. Close may be called multiple
// times.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		<-s.sweeperDone
		return nil
	}
	s.end()
	<-s.sweeperDone
	if err := s.q.close(); err != nil {
		return fmt.Errorf("sqlstore: closing: %w", err)
	}
	return nil
}

// ready returns an error if the Store is closed or ctx has ended.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// present is the time of Config.Now in milliseconds since 1970.
func (s *Store) present() int64 { return instant(s.config.Now()) }
