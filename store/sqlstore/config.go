package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The values that a zero field of [Config] stands for.
const (
	DefaultTable         = "nest_sessions"
	DefaultSweepInterval = 10 * time.Minute
	DefaultSweepBatch    = 1000
	DefaultTTL           = 24 * time.Hour
)

// NoTTL as [Config.TTL] keeps sessions without an expiry forever.
const NoTTL = time.Duration(-1)

// The longest id and owner that the native table keeps, in bytes. The limits are the same
// for all dialects, so that a session can move between them. Tables of other programs
// have limits of their own, which New reads from the table.
const (
	MaxID    = 1536
	MaxOwner = 1024
)

// Config says in which table a [Store] keeps its sessions, and how. DB and Dialect
// are required.
type Config struct {
	// DB is the caller's: the store neither configures nor closes it. Any driver for
	// the dialect will do.
	DB *sql.DB

	// Row, if it is not nil, reads the first row of a statement in place of DB, for a driver that does
	// so at less cost by itself than through database/sql. The args are of the types of
	// [database/sql/driver.Value], dest is as for [sql.Row.Scan]. It returns [sql.ErrNoRows] if there
	// is no row, and [database/sql/driver.ErrBadConn] if nothing was sent, so that DB sends it. Package pgxstore sets it.
	Row func(ctx context.Context, statement string, args, dest []any) error

	// Dialect is the kind of database that DB is. New checks it and returns an error
	// for another kind.
	Dialect Dialect

	// Layout says whose table it is. The zero value is [Native].
	Layout Layout

	// Schema is where the table is: a schema of PostgreSQL, a database of MySQL, an
	// attached database of SQLite. "": where the connection looks first. New does not
	// create it.
	Schema string

	// Table is the table's name. "": [DefaultTable] for Native, and for the other
	// layouts what their packages use, see [Layout]. Names are quoted as they
	// are: a dot is part of the name, and case counts where the database lets it.
	Table string

	// Columns are the names of the columns, where they differ from the layout's.
	Columns Columns

	// Create makes New create what is missing: the table, a column or an index that an
	// older version of the native table lacks, and OwnerColumn. The user needs the right
	// to do so; any number of nodes may do it at the same time. Without Create, New
	// returns an error with the statements to run; [Statements] returns them, too.
	Create bool

	// OwnerColumn is, for a table of another program, a column that keeps the owner,
	// so that List by owner need not read all sessions. "": there is none. See the
	// section "Owners" of the package. The native table always has such a column.
	OwnerColumn string

	// OwnerOf returns the owner that a document names, or ""; for documents of package
	// session it is session.OwnerOf. It is for tables of other programs: it finds the
	// owner in rows that the other program wrote, and where there is no OwnerColumn.
	// Nil: the owner is what OwnerColumn holds, and without OwnerColumn List by owner
	// returns [errors.ErrUnsupported].
	OwnerOf func(document []byte) string

	// TTL is how long a session without an expiry lives in a table of another program,
	// as that program has it. 0: [DefaultTTL], which is the default of all four
	// programs. [NoTTL]: the latest time that the column holds, which is read as no
	// expiry again. In the native table such a session always stays forever.
	TTL time.Duration

	// TimeZone is for [ConnectPgSimple], whose column has no time zone: it is the zone
	// of the other program's connections, such as "Asia/Seoul". "": the zone that the
	// database gives a connection that does not set one. See the section "Time zones"
	// of the package.
	TimeZone string

	// Unprepared sends each statement without preparing it first, for a pooler that
	// may use another connection for each statement, such as PgBouncer in transaction
	// mode. The driver may need a setting for that as well.
	Unprepared bool

	// SweepInterval is the time between two sweeps, which remove expired sessions. Up to
	// half of it is added at random, so that nodes do not sweep at the same time. 0:
	// [DefaultSweepInterval]. Negative: never; call [Store.Sweep].
	SweepInterval time.Duration

	// SweepBatch is how many sessions one statement of a sweep removes. 0:
	// [DefaultSweepBatch].
	SweepBatch int

	// Now is the clock that decides whether a session has expired; it should agree on
	// all nodes. Nil: the system's clock. The database's own clock is never used.
	Now func() time.Time

	// Logger gets a warning for each sweep that fails. Nil: [slog.Default].
	Logger *slog.Logger
}

// Columns are the names of columns; "" is the layout's name.
type Columns struct {
	ID      string
	Data    string
	Expires string
}

// withDefaults checks the Config as far as it can be without the database.
func (c Config) withDefaults() (Config, error) {
	if c.dialect() == nil {
		return c, errors.New("sqlstore: set Config.Dialect to SQLite, Postgres or MySQL")
	}
	l, ok := layouts[c.Layout]
	if !ok {
		return c, fmt.Errorf("sqlstore: Config.Layout is %v, which does not exist", c.Layout)
	}
	if l.dialect != 0 && l.dialect != c.Dialect {
		return c, fmt.Errorf("sqlstore: the layout %v is for %v, but Config.Dialect is %v", c.Layout, l.dialect, c.Dialect)
	}
	if c.Layout == Native {
		if c.OwnerColumn != "" || c.TimeZone != "" || c.TTL != 0 {
			return c, errors.New("sqlstore: Config.OwnerColumn, TimeZone and TTL are for tables of other programs; the native table uses none of them")
		}
		c.OwnerColumn = "owner"
	}
	if c.TimeZone != "" && c.Layout != ConnectPgSimple {
		return c, fmt.Errorf("sqlstore: Config.TimeZone is for ConnectPgSimple; %v keeps instants", c.Layout)
	}
	if c.SweepBatch < 0 || c.SweepBatch > maxSweepBatch {
		return c, fmt.Errorf("sqlstore: Config.SweepBatch is %d, want 1 to %d, or 0 for %d", c.SweepBatch, maxSweepBatch, DefaultSweepBatch)
	}
	if c.TTL < 0 && c.TTL != NoTTL {
		return c, errors.New("sqlstore: Config.TTL is negative; use NoTTL for sessions that do not expire")
	}
	def(&c.Table, l.table)
	def(&c.Columns.ID, l.columns.ID)
	def(&c.Columns.Data, l.columns.Data)
	def(&c.Columns.Expires, l.columns.Expires)
	def(&c.TTL, DefaultTTL)
	def(&c.SweepBatch, DefaultSweepBatch)
	def(&c.SweepInterval, DefaultSweepInterval)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, c.checkNames()
}

func (c Config) dialect() dialect { return dialects[c.Dialect] }

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
