package pgxstore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/store/sqlstore"
)

// DefaultHeartbeat is the default of [Config.Heartbeat].
const DefaultHeartbeat = 500 * time.Millisecond

// Config says in which table a [Store] keeps its sessions, and how it watches the table. The
// zero Config is for the native table, which exists already, as [Statements] makes it.
type Config struct {
	// Layout says whose table it is: [sqlstore.Native], the zero value, or
	// [sqlstore.ConnectPgSimple].
	Layout sqlstore.Layout

	// Schema is where the table is. "": where the connection looks first.
	Schema string

	// Table is the table's name. "": "nest_sessions", and "session" for ConnectPgSimple.
	Table string

	// Columns are the names of the columns, where they differ from the layout's.
	Columns sqlstore.Columns

	// Create makes New create what is missing: the table, as sqlstore does, and the
	// trigger with its function and the table of changes, in the table's schema. The user needs the right to do
	// so; any number of nodes may do it at the same time. Without Create, New returns an
	// error with the statements to run.
	Create bool

	// OwnerColumn, OwnerOf, TTL and TimeZone are for the table of connect-pg-simple, see
	// [sqlstore.Config].
	OwnerColumn string
	OwnerOf     func(document []byte) string
	TTL         time.Duration
	TimeZone    string

	// SweepInterval is about the time between two sweeps, which remove expired sessions;
	// SweepBatch is how many sessions one statement removes. 0:
	// [sqlstore.DefaultSweepInterval] and [sqlstore.DefaultSweepBatch]. A negative
	// interval: never.
	SweepInterval time.Duration
	SweepBatch    int

	// Heartbeat is how often the Store checks the trigger, and reports until when nothing
	// was missed, while there are watchers. A cache in front serves records only while the last heartbeat is not
	// older than its MaxStale, so Heartbeat should be at most a third of that. 0:
	// [DefaultHeartbeat].
	Heartbeat time.Duration

	// Direct is a pool whose connections go to the server itself, if those of New's pool
	// go through a pooler such as PgBouncer. The Store uses only its settings, for the one
	// connection that reads changes, and takes no connection out of it. Nil: the pool of New.
	Direct *pgxpool.Pool

	// Now is the clock that decides whether a session has expired; it should agree on all
	// nodes. Nil: the system's.
	Now func() time.Time

	// Logger gets a record for each sweep that fails, and for each time that the watch is
	// interrupted and resumes. Nil: [slog.Default].
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Layout != sqlstore.Native && c.Layout != sqlstore.ConnectPgSimple {
		return c, fmt.Errorf("pgxstore: Config.Layout is %v; want sqlstore.Native or sqlstore.ConnectPgSimple", c.Layout)
	}
	if c.Heartbeat < 0 {
		return c, fmt.Errorf("pgxstore: Config.Heartbeat is %v; write a positive duration, or 0 for %v", c.Heartbeat, DefaultHeartbeat)
	}
	def(&c.Heartbeat, DefaultHeartbeat)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	names := sqlstore.Columns{ID: "id", Data: "data", Expires: "expires"}
	table := sqlstore.DefaultTable
	if c.Layout == sqlstore.ConnectPgSimple {
		names, table = sqlstore.Columns{ID: "sid", Data: "sess", Expires: "expire"}, "session"
	}
	def(&c.Table, table)
	def(&c.Columns.ID, names.ID)
	def(&c.Columns.Data, names.Data)
	def(&c.Columns.Expires, names.Expires)
	return c, nil
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// sql is the Config for sqlstore. Pgx prepares statements by itself, once for each
// connection. Database/sql would prepare them each time, because it returns the connection
// to the pool after each statement.
func (c Config) sql() sqlstore.Config {
	return sqlstore.Config{
		Dialect: sqlstore.Postgres, Layout: c.Layout, Schema: c.Schema, Table: c.Table, Columns: c.Columns,
		Create: c.Create, OwnerColumn: c.OwnerColumn, OwnerOf: c.OwnerOf, TTL: c.TTL, TimeZone: c.TimeZone,
		Unprepared: true, SweepInterval: c.SweepInterval, SweepBatch: c.SweepBatch, Now: c.Now, Logger: c.Logger,
	}
}

// checkHosts refuses a pool that may connect to a standby: reads there may be out of date,
// and no event says how much.
func checkHosts(pool *pgxpool.Pool) error {
	c := pool.Config().ConnConfig
	for _, f := range c.Fallbacks {
		if (f.Host != c.Host || f.Port != c.Port) && c.ValidateConnect == nil {
			return errors.New("pgxstore: the pool has several servers and takes the first that answers, which may be a standby that lags behind: add target_session_attrs=read-write to the connection string")
		}
	}
	return nil
}
