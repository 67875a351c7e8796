package sqlstore

import (
	"fmt"
	"math"
)

// Layout says which program's table a [Store] uses.
type Layout int

const (
	// Native is the table of this package, for any dialect. It keeps id, owner and data
	// byte for byte, and the expiry as milliseconds since 1970.
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

// layout is what is fixed about a Layout: the names, the time format, and the statements
// with which its program makes the table.
type layout struct {
	name    string
	dialect Dialect // 0: any
	table   string
	columns Columns
	times   times
	create  []string // templates; nil: the dialect has them

	// byPosition says that the program inserts rows without naming columns, so that
	// an additional column that can be written would break it.
	byPosition bool
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
		create: []string{
			`CREATE TABLE IF NOT EXISTS {table} ({id} varchar NOT NULL COLLATE "default" PRIMARY KEY, {data} json NOT NULL, {expires} timestamp(6) NOT NULL)`,
			`CREATE INDEX IF NOT EXISTS {expires index} ON {table} ({expires})`,
		},
	},
	ExpressMySQLSession: {
		name: "ExpressMySQLSession", dialect: MySQL, table: "sessions",
		columns: Columns{ID: "session_id", Data: "data", Expires: "expires"},
		times:   seconds{most: math.MaxUint32},
		create: []string{
			`CREATE TABLE IF NOT EXISTS {table} ({id} varchar(128) COLLATE utf8mb4_bin NOT NULL, {expires} int(11) unsigned NOT NULL,
			{data} mediumtext COLLATE utf8mb4_bin, PRIMARY KEY ({id})) ENGINE=InnoDB`,
		},
	},
	ConnectSQLite3: {
		name: "ConnectSQLite3", dialect: SQLite, table: "sessions",
		columns: Columns{ID: "sid", Data: "sess", Expires: "expired"},
		times:   milliseconds{foreign: true}, byPosition: true,
		create: []string{`CREATE TABLE IF NOT EXISTS {table} ({id} PRIMARY KEY, {expires}, {data})`},
	},
	BetterSQLite3SessionStore: {
		name: "BetterSQLite3SessionStore", dialect: SQLite, table: "sessions",
		columns: Columns{ID: "sid", Data: "sess", Expires: "expire"},
		times:   texts{}, byPosition: true,
		create: []string{`CREATE TABLE IF NOT EXISTS {table} ({id} TEXT NOT NULL PRIMARY KEY, {data} JSON NOT NULL, {expires} TEXT NOT NULL)`},
	},
}

// tableDef is the table as statements need it.
type tableDef struct {
	traits *traits
	native bool
	times  times
	names  map[string]string // what templates call by name, quoted
	table  string            // names["table"]
	noJSON bool              // SQLite without its functions for JSON

	hasOwner       bool // there is a column for the owner
	generatedOwner bool // the database computes that column from the document
}

func (c Config) tableDef() *tableDef {
	l := layouts[c.Layout]
	d := &tableDef{
		traits: c.dialect().traits(),
		native: c.Layout == Native,
		times:  l.times,
		table:  c.tableName(),

		hasOwner:       c.OwnerColumn != "",
		generatedOwner: l.byPosition,
	}
	d.names = map[string]string{
		"table":         d.table,
		"id":            c.quote(c.Columns.ID),
		"data":          c.quote(c.Columns.Data),
		"expires":       c.quote(c.Columns.Expires),
		"due":           c.quote(dueColumn),
		"owner":         c.quote(c.OwnerColumn),
		"owner or NULL": "NULL",
		"owner index":   c.indexName(c.OwnerColumn),
		"expires index": c.indexName(c.Columns.Expires),
		"due index":     c.indexName(dueColumn),
	}
	if d.hasOwner && (c.OwnerOf == nil || !d.generatedOwner) {
		d.names["owner or NULL"] = d.names["owner"] // otherwise OwnerOf finds the owner in the document
	}
	return d
}

// statements returns the dialect's statements that the table has the columns for.
func (d *tableDef) statements(of dialect) *statements {
	q := of.statements(d)
	if !d.hasOwner {
		q.listOwner = statement{}
	}
	if !d.writesOwner() {
		q.listUnowned = statement{}
	}
	return q
}

// writesOwner reports whether the store writes the owner into a column of its own.
func (d *tableDef) writesOwner() bool { return d.hasOwner && !d.generatedOwner }

// text is an id or an owner as the driver takes it.
func (d *tableDef) text(text string) any {
	if d.native && d.traits.bytesText {
		return []byte(text)
	}
	return text
}

// document is a session's data as the driver takes it. Empty data is not NULL.
func (d *tableDef) document(data []byte) any {
	if !d.native || !d.traits.bytesData {
		return string(data)
	}
	if data == nil {
		return []byte{}
	}
	return data
}
