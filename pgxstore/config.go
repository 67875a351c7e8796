package pgxstore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nestsession/session/store/sqlstore"
)

// DefaultHeartbeat is what a zero [Config.Heartbeat] stands for.
const DefaultHeartbeat = 500 * time.Millisecond

// Config says which table a [Store] keeps its sessions in, and how it watches that. Its
// zero value is a table of its own that is there already, as [Statements] makes it.
type Config struct {
	// Layout is what the table looks like: [sqlstore.Native], the zero value, or
	// [sqlstore.ConnectPgSimple].
	Layout sqlstore.Layout

	// Schema is where the table is. "": where the connection looks first.
	Schema string

	// Table is the table's name. "": "nest_sessions", and "session" for ConnectPgSimple.
	Table string

	// Columns are the names of the columns where they are not the layout's.
	Columns sqlstore.Columns

	// Create makes New create what is missing: the table, as sqlstore does, and the
	// trigger with its function, in the table's schema. It needs the right to do so, and
	// any number of nodes may do it at once. Without it New only looks, and says which
	// statements are missing.
	Create bool

	// OwnerColumn, OwnerOf, TTL and TimeZone are for the table of connect-pg-simple, see
	// [sqlstore.Config].
	OwnerColumn string
	OwnerOf     func(document []byte) string
	TTL         time.Duration
	TimeZone    string

	// SweepInterval is about how often expired sessions are removed, SweepBatch how many
	// by one statement. 0: [sqlstore.DefaultSweepInterval] and
	// [sqlstore.DefaultSweepBatch]. A negative interval: never.
	SweepInterval time.Duration
	SweepBatch    int

	// Heartbeat is how often the connection that listens is tried from end to end, while
	// there is somebody who watches. A cache in front goes without the store for as long
	// as the last heartbeat is fresh, so it should be no more than a third of the cache's
	// MaxStale. 0: [DefaultHeartbeat].
	Heartbeat time.Duration

	// Direct is a pool whose connections go to the server itself, for the case that
	// those of New go through a pooler such as PgBouncer. Its settings are used for the
	// one connection that listens, and none is taken out of it. Nil: the pool of New.
	Direct *pgxpool.Pool

	// Now is the clock that expiry is judged by, on all nodes alike. Nil: the system's.
	Now func() time.Time

	// Logger hears of sweeps that failed, and of a watch that broke off and came back.
	// Nil: [slog.Default].
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

// sql is what sqlstore is to have. Pgx prepares statements by itself, once for each
// connection; database/sql, which gives the connection back to the pool after each
// statement, would do it each time.
func (c Config) sql() sqlstore.Config {
	return sqlstore.Config{
		Dialect: sqlstore.Postgres, Layout: c.Layout, Schema: c.Schema, Table: c.Table, Columns: c.Columns,
		Create: c.Create, OwnerColumn: c.OwnerColumn, OwnerOf: c.OwnerOf, TTL: c.TTL, TimeZone: c.TimeZone,
		Unprepared: true, SweepInterval: c.SweepInterval, SweepBatch: c.SweepBatch, Now: c.Now, Logger: c.Logger,
	}
}

// checkHosts refuses a pool that may reach a standby: what is read there is old, and no
// event says how old.
func checkHosts(pool *pgxpool.Pool) error {
	c := pool.Config().ConnConfig
	for _, f := range c.Fallbacks {
		if (f.Host != c.Host || f.Port != c.Port) && c.ValidateConnect == nil {
			return errors.New("pgxstore: the pool knows several servers and takes the first that answers, which may be a standby that is behind: add target_session_attrs=read-write to the connection string")
		}
	}
	return nil
}
