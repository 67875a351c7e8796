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
	shape   shape
	q       *statements
	limits  limits
	zone    string                 // of the column's times; "": they are instants
	file    file                   // SQLite's
	loads   *batch.Queue[loading]  // that go together; nil: none do
	updates *batch.Queue[updating] // likewise
	deletes *batch.Queue[deleting] // likewise
	line    chan struct{}          // SQLite: whose turn it is to write; nil: nobody waits
	closed  atomic.Bool
	ended   context.Context // ends with Close
	end     context.CancelFunc
	swept   chan struct{} // closed when the sweeper has gone
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Sweeper = (*Store)(nil)
	_ store.Pinger  = (*Store)(nil)
)

// New looks at the table, and makes it if it is to, tries it out, prepares its
// statements and starts to sweep. Close the Store in the end.
//
// To try the table out, it creates two sessions there, loads, saves, touches and deletes
// them, in a transaction that it rolls back. Triggers run, and sequences count on;
// nothing else is left.
//
// Errors: of a Config that cannot work, of a database that cannot be reached or
// speaks another dialect, of a missing table or column, with the statement that would
// make it, of a column that cannot keep sessions, of what keeps sessions from being
// written: a missing right, another column that wants a value, a constraint, a trigger,
// a partition, a server that takes no writes. None of them holds the connection string.
func New(ctx context.Context, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.DB == nil {
		return nil, errors.New("sqlstore: Config.DB is nil: open the database with database/sql and its driver first")
	}
	s := &Store{config: c, shape: c.shape(), swept: make(chan struct{})}
	if c.Dialect == SQLite {
		s.line = make(chan struct{}, 1)
	}
	if c.Dialect != MySQL {
		s.loads = s.loadLine()
	}
	if c.Dialect == Postgres {
		s.deletes = s.deleteLine()
		if c.Layout == Native {
			s.updates = s.updateLine()
		}
	}
	s.ended, s.end = context.WithCancel(context.Background())
	if err := s.open(ctx); err != nil {
		s.end()
		if s.q != nil {
			_ = s.q.close()
		}
		return nil, err
	}
	go s.sweepNowAndThen()
	return s, nil
}

// open is what New does with the database.
func (s *Store) open(ctx context.Context) error {
	if err := s.try(ctx, func() error { return s.config.probe(ctx) }); err != nil {
		return s.failed(ctx, "asking the database what it is", "", err)
	}
	found, err := s.ensure(ctx)
	if err != nil {
		return err
	}
	if err := s.adopt(ctx, found); err != nil {
		return err
	}
	if err := s.roomy(); err != nil {
		return err
	}
	s.q = s.shape.statements(s.config.OwnerColumn != "")
	if err := s.tryOut(ctx, found); err != nil {
		return err
	}
	if s.config.Dialect == SQLite {
		if err := s.try(ctx, func() error { return s.findFile(ctx) }); err != nil {
			return s.failed(ctx, "looking for the file", "", err)
		}
	}
	if s.config.Dialect == SQLite && !s.hasJSON(ctx) {
		s.loads, s.q.loads = nil, statement{}
	}
	if s.config.Unprepared {
		return nil
	}
	for _, st := range s.q.each() {
		if err := s.try(ctx, func() error { return st.prepare(ctx, s.config.DB) }); err != nil {
			return s.failed(ctx, "preparing the statements for "+s.shape.table, "", err)
		}
	}
	return nil
}

// hasJSON reports whether this SQLite was built with its functions for JSON, as it need
// not be before version 3.38.
func (s *Store) hasJSON(ctx context.Context) bool {
	var n int
	return s.config.DB.QueryRowContext(ctx, "SELECT count(*) FROM json_each('[]')").Scan(&n) == nil
}

// each are the statements that there are.
func (q *statements) each() []*statement {
	all := []*statement{
		&q.load, &q.loads, &q.insert, &q.replace, &q.update, &q.updates, &q.old, &q.touch, &q.delete, &q.deletes,
		&q.list, &q.listOwner, &q.listUnowned, &q.sweep, &q.expired,
	}
	var there []*statement
	for _, st := range all {
		if st.text != "" {
			there = append(there, st)
		}
	}
	return there
}

func (q *statements) close() (err error) {
	for _, st := range q.each() {
		err = errors.Join(err, st.close())
	}
	return err
}

// TimeZone is the zone that the times in a column of type timestamp without time zone are
// in: [Config.TimeZone], or the one that New has found out. It is "" for any other column,
// which keeps instants.
func (s *Store) TimeZone() string { return s.zone }

// Close ends the sweeping and gives the prepared statements back. Calls under way
// end; later ones answer [store.ErrClosed]. The database stays open. It may be called
// several times.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		<-s.swept
		return nil
	}
	s.end()
	<-s.swept
	if err := s.q.close(); err != nil {
		return fmt.Errorf("sqlstore: closing: %w", err)
	}
	return nil
}

// ready is an error if there is no use in asking the database.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// present is the clock's time in milliseconds since 1970.
func (s *Store) present() int64 { return instant(s.config.Now()) }
