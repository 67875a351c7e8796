package sqlstore

import (
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

// NoTTL as [Config.TTL] keeps sessions without an expiry for good.
const NoTTL = time.Duration(-1)

// The most that the native table takes, in bytes. The limits are the same for all
// dialects, so that a session can move between them. Tables of other programs have
// limits of their own, which New reads from the table.
const (
	MaxID    = 1536
	MaxOwner = 1024
)

// Config says which table a [Store] keeps its sessions in, and how. DB and Dialect
// are needed.
type Config struct {
	// DB is the caller's: it is neither configured nor closed. Its driver can be any
	// for the dialect.
	DB *sql.DB

	// Dialect is what DB speaks. New asks the database and refuses another.
	Dialect Dialect

	// Layout is what the table looks like. The zero value is [Native].
	Layout Layout

	// Schema is where the table is: a schema of PostgreSQL, a database of MySQL, an
	// attached database of SQLite. "": where the connection looks first. It is not
	// created.
	Schema string

	// Table is the table's name. "": [DefaultTable] for Native, and for the other
	// layouts what their packages use, see [Layout]. Names are quoted as they
	// are: a dot is part of the name, and case counts where the database lets it.
	Table string

	// Columns are the names of the columns where they are not the layout's.
	Columns Columns

	// Create makes New create what is missing: the table, a column or an index of an
	// older version of the native table, and OwnerColumn. It needs the right to do so,
	// and any number of nodes may do it at once. Without it New only looks, and says
	// which statements are missing; [Statements] has them, too.
	Create bool

	// OwnerColumn is, for a table of another program, a column that keeps the owner,
	// so that List by owner need not read all sessions. "": there is none. See the
	// section "Owners" of the package. The native table has one always.
	OwnerColumn string

	// OwnerOf reads whose session a document is, "" for nobody's; for documents of
	// package session it is session.OwnerOf. It is for tables of other programs: it
	// tells of what the other program wrote, and replaces a missing OwnerColumn. Nil:
	// the owner is what OwnerColumn says, and without that List by owner returns
	// [errors.ErrUnsupported].
	OwnerOf func(document []byte) string

	// TTL is how long a session without an expiry lives in a table of another
	// program, as that program has it. 0: [DefaultTTL], which is the default of all
	// four. [NoTTL]: as long as the column can say, which is read as no expiry again.
	// In the native table such a session stays for good in any case.
	TTL time.Duration

	// TimeZone is for [ConnectPgSimple], whose column has no time zone: it is the one
	// of the other program's connections, such as "Asia/Seoul". "": the one that the
	// database gives a connection that asks for none. See the section "Time zones"
	// of the package.
	TimeZone string

	// Unprepared sends each statement without preparing it first, for a pooler that
	// gives a connection away between two statements, such as PgBouncer in
	// transaction mode. The driver may need a setting for that as well.
	Unprepared bool

	// SweepInterval is about how often expired sessions are removed; each time, up to
	// half of it is added at random, so that nodes do not sweep together. 0:
	// [DefaultSweepInterval]. Negative: never, call [Store.Sweep].
	SweepInterval time.Duration

	// SweepBatch is how many sessions one statement of a sweep removes. 0:
	// [DefaultSweepBatch].
	SweepBatch int

	// Now is the clock that expiry is judged by, on all nodes alike. Nil: the
	// system's. The database's own clock is never asked.
	Now func() time.Time

	// Logger hears of sweeps that failed. Nil: [slog.Default].
	Logger *slog.Logger
}

// Columns are names of columns; "" is the layout's name.
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
		return c, fmt.Errorf("sqlstore: the layout %v is one of %v, but Config.Dialect is %v", c.Layout, l.dialect, c.Dialect)
	}
	if c.Layout == Native {
		if c.OwnerColumn != "" || c.TimeZone != "" || c.TTL != 0 {
			return c, errors.New("sqlstore: Config.OwnerColumn, TimeZone and TTL are for tables of other programs; the native table needs none of them")
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
		return c, errors.New("sqlstore: Config.TTL is negative; for no end at all there is NoTTL")
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
