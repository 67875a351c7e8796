package sqlstore

import (
	"fmt"
	"math"
)

// Layout says whose table it is that a [Store] works on.
type Layout int

const (
	// Native is the table of this package, for any dialect. Its id, owner and data
	// are kept byte for byte, and its expiry as milliseconds since 1970.
	Native Layout = iota

	// ConnectPgSimple is the table of the npm package connect-pg-simple 10, for
	// Postgres: "session" with sid, sess and expire. Node keeps whole seconds and
	// rounds up; so does the store.
	ConnectPgSimple

	// ExpressMySQLSession is the table of express-mysql-session 3, for MySQL:
	// "sessions" with session_id, expires and data. Whole seconds, to the nearest.
	ExpressMySQLSession

	// ConnectSQLite3 is the table of connect-sqlite3 0.9, for SQLite: "sessions" with
	// sid, expired and sess. Milliseconds.
	ConnectSQLite3

	// BetterSQLite3SessionStore is the table of better-sqlite3-session-store 0.1, for
	// SQLite: "sessions" with sid, sess and expire. The text of a time, with
	// milliseconds, of which the package itself compares whole seconds.
	BetterSQLite3SessionStore
)

func (l Layout) String() string {
	if o, ok := layouts[l]; ok {
		return o.name
	}
	return fmt.Sprintf("Layout(%d)", int(l))
}

// layout is what is fixed about a Layout.
type layout struct {
	name    string
	dialect Dialect // 0: any
	table   string
	columns Columns
	times   times

	// positional says that the program inserts rows without naming columns, so that
	// a further column that can be written would break it.
	positional bool
}

var layouts = map[Layout]layout{
	Native: {
		name: "Native", table: DefaultTable,
		columns: Columns{ID: "id", Data: "data", Expires: "expires"},
		times:   milliseconds{},
	},
	ConnectPgSimple: {
		name: "ConnectPgSimple", dialect: Postgres, table: "session",
		columns: Columns{ID: "sid", Data: "sess", Expires: "expire"},
		times:   timestamps{},
	},
	ExpressMySQLSession: {
		name: "ExpressMySQLSession", dialect: MySQL, table: "sessions",
		columns: Columns{ID: "session_id", Data: "data", Expires: "expires"},
		times:   seconds{most: math.MaxUint32},
	},
	ConnectSQLite3: {
		name: "ConnectSQLite3", dialect: SQLite, table: "sessions",
		columns: Columns{ID: "sid", Data: "sess", Expires: "expired"},
		times:   milliseconds{foreign: true}, positional: true,
	},
	BetterSQLite3SessionStore: {
		name: "BetterSQLite3SessionStore", dialect: SQLite, table: "sessions",
		columns: Columns{ID: "sid", Data: "sess", Expires: "expire"},
		times:   texts{}, positional: true,
	},
}
