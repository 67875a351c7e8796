package sqlstore

import (
	"context"
	"fmt"

	"github.com/nestsession/session/store"
)

// Dialect is a kind of database.
type Dialect int

// The dialects. [New] returns an error for the zero value, which is none of them.
const (
	_        Dialect = iota
	SQLite           // 3.24 or later; with an owner column in another program's table, 3.31
	Postgres         // PostgreSQL 12 or later
	MySQL            // MySQL 5.7 or later, MariaDB 10.3 or later
)

func (d Dialect) String() string {
	if known, ok := dialects[d]; ok {
		return known.traits().name
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

var dialects = map[Dialect]dialect{SQLite: sqlite{}, Postgres: postgres{}, MySQL: mysql{}}

// dialect is everything in which the databases differ: sqlite.go, postgres.go and
// mysql.go have one each.
type dialect interface {
	traits() *traits

	// statements returns the statements for a table.
	statements(d *tableDef) *statements

	// createTable returns the statements that make the native table with its indexes,
	// createIndex the one that adds an index to a table that exists.
	createTable(c Config) []string
	createIndex(c Config, column string) string

	// creationLock keeps other nodes out while one makes the table. The key is the table's.
	creationLock(key uint64) creationLock

	// probe refuses a database in which sessions would get lost.
	probe(ctx context.Context, c Config) error

	// inspect looks up the table.
	inspect(ctx context.Context, c Config, db queryer) (tableInfo, error)

	// adopt checks the types of the columns of another program's table, and learns the
	// limits and the time format of any.
	adopt(ctx context.Context, s *Store, is tableInfo) error

	// comparison returns the parameters by which the statement update finds out whether the
	// row still has the version of r. It may find out by itself, with the parameters @id
	// and @now, and return [store.ErrConflict] or [store.ErrNotFound].
	comparison(ctx context.Context, s *Store, db queryer, r store.Record, id, now any) (comparison, error)

	// sweep removes one batch of expired sessions.
	sweep(ctx context.Context, s *Store, v *values) (removed int, more bool, err error)

	// ping makes sure that the database takes writes.
	ping(ctx context.Context, s *Store) error

	// isTransient reports whether the database undid a statement because of another
	// transaction, so that it may succeed the next time.
	isTransient(err error) bool

	// reason says why the database refused a statement; refused is false if it did not
	// answer, or if it is not known whether the statement took effect.
	reason(err error) (r reason, refused bool)
}

// traits are the differences that are no more than a value.
type traits struct {
	name     string
	quote    string // stands around a name
	numbered bool   // parameters are $1, $2 and not ?

	maxName   int  // the longest name that the database keeps
	nameRunes bool // maxName counts characters and not bytes
	nameCase  bool // names of columns differ by case

	nativeTypes  struct{ text, data, number string } // part of the type's name, in lower case
	nativeOwner  string                              // type of the owner's column in the native table
	foreignOwner string                              // type of the owner's column in other tables
	bytesText    bool                                // ids and owners of the native table are sent as []byte
	bytesData    bool                                // likewise its data
	hasDue       bool                                // the native table has the column due

	rowVersions   bool // the last column of each result is the row's version; without, it is a digest
	countsChanged bool // a write that changes nothing affects no row
	oneWriter     bool // the database takes one write at a time
	noRollback    bool // a table may ignore transactions

	beginTrial     string // statement at the start of the trial's transaction
	readOnlyAdvice string // what to do if the database takes no writes
}

// comparison holds the parameters @version, @olddata and @oldowner.
type comparison struct{ version, data, owner any }

// creationLock holds the statements around making a table.
type creationLock struct {
	begin            []string
	commit, rollback string
}
