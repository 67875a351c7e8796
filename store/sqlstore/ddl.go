package sqlstore

import "fmt"

// Statements are those that make the table of c, for an operator who would rather
// run them than set [Config.Create]. It takes no DB. For the layout of another
// program, they are what that program runs, and those for OwnerColumn.
//
// Errors: of a Config that cannot work.
func Statements(c Config) ([]string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return c.missing(table{}), nil
}

// missing are the statements that make what is not there.
func (c Config) missing(is table) []string {
	d := c.Dialect
	var todo []string
	if !is.exists {
		todo = append(todo, c.createTable()...)
	}
	if c.hasDue() && is.exists && is.column(dueColumn) == nil {
		todo = append(todo, "ALTER TABLE "+c.tableName()+" ADD COLUMN "+d.quote(dueColumn)+" "+dueType)
	}
	if c.OwnerColumn == "" {
		return todo
	}
	owner := d.quote(c.OwnerColumn)
	if is.column(c.OwnerColumn) == nil && (is.exists || c.Layout != Native) {
		todo = append(todo, "ALTER TABLE "+c.tableName()+" ADD COLUMN "+owner+" "+c.ownerType())
	}
	if !is.indexed(c.OwnerColumn) && (is.exists || c.Layout != Native || d != MySQL) {
		todo = append(todo, c.createIndex(c.OwnerColumn))
	}
	swept := c.Columns.Expires
	if c.hasDue() {
		swept = dueColumn
	}
	if c.Layout == Native && !is.indexed(swept) && (is.exists || d != MySQL) {
		todo = append(todo, c.createIndex(swept))
	}
	return todo
}

// ownerPath is where package session writes the owner into a document.
const ownerPath = "$.__nestsession.owner"

// ownerType is the type of the column for the owner. Programs that insert rows
// without naming columns would fail on one more, but for one that is worked out: they
// never see it, and it is right also for what they write.
func (c Config) ownerType() string {
	l := layouts[c.Layout]
	switch {
	case l.positional:
		data := c.Dialect.quote(c.Columns.Data)
		return fmt.Sprintf("TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(%s) THEN json_extract(%s, '%s') END) VIRTUAL", data, data, ownerPath)
	case c.Layout == Native:
		return map[Dialect]string{
			SQLite:   "TEXT NOT NULL DEFAULT ''",
			Postgres: `bytea NOT NULL DEFAULT ''`,
			MySQL:    fmt.Sprintf("varbinary(%d) NOT NULL DEFAULT ''", MaxOwner),
		}[c.Dialect]
	case c.Dialect == Postgres:
		return `text COLLATE "C"`
	}
	return fmt.Sprintf("varbinary(%d)", MaxOwner)
}

func (c Config) createTable() []string {
	d := c.Dialect
	id, data, expires := d.quote(c.Columns.ID), d.quote(c.Columns.Data), d.quote(c.Columns.Expires)
	create := "CREATE TABLE IF NOT EXISTS " + c.tableName() + " "
	owner := d.quote(c.OwnerColumn)
	switch c.Layout {
	case ConnectPgSimple:
		return []string{
			fmt.Sprintf(`%s(%s varchar NOT NULL COLLATE "default" PRIMARY KEY, %s json NOT NULL, %s timestamp(6) NOT NULL)`, create, id, data, expires),
			c.createIndex(c.Columns.Expires),
		}
	case ExpressMySQLSession:
		return []string{fmt.Sprintf("%s(%s varchar(128) COLLATE utf8mb4_bin NOT NULL, %s int(11) unsigned NOT NULL, %s mediumtext COLLATE utf8mb4_bin, PRIMARY KEY (%s)) ENGINE=InnoDB",
			create, id, expires, data, id)}
	case ConnectSQLite3:
		return []string{fmt.Sprintf("%s(%s PRIMARY KEY, %s, %s)", create, id, expires, data)}
	case BetterSQLite3SessionStore:
		return []string{fmt.Sprintf("%s(%s TEXT NOT NULL PRIMARY KEY, %s JSON NOT NULL, %s TEXT NOT NULL)", create, id, data, expires)}
	}
	switch d {
	case SQLite:
		return []string{fmt.Sprintf("%s(%s TEXT NOT NULL PRIMARY KEY, %s %s, %s INTEGER NOT NULL, %s TEXT NOT NULL)",
			create, id, owner, c.ownerType(), expires, data)}
	case Postgres:
		return []string{fmt.Sprintf("%s(%s bytea PRIMARY KEY, %s %s, %s bigint NOT NULL, %s %s, %s bytea NOT NULL) WITH (fillfactor = 80)",
			create, id, owner, c.ownerType(), expires, d.quote(dueColumn), dueType, data)}
	}
	return []string{fmt.Sprintf("%s(%s varbinary(%d) NOT NULL, %s %s, %s bigint NOT NULL, %s longblob NOT NULL, PRIMARY KEY (%s), KEY %s (%s), KEY %s (%s)) ENGINE=InnoDB",
		create, id, MaxID, owner, c.ownerType(), expires, data, id,
		c.indexName(c.OwnerColumn), owner, c.indexName(c.Columns.Expires), expires)}
}

// indexName is quoted, and no longer than the database keeps.
func (c Config) indexName(column string) string {
	name := c.Table + "_" + column + "_idx"
	if c.Layout == ConnectPgSimple && column == c.Columns.Expires {
		name = "IDX_" + c.Table + "_" + column
	}
	if len(name) > c.Dialect.maxName() {
		name = fmt.Sprintf("nest_%x_idx", hash(c.Table+"\x00"+column))
	}
	return c.Dialect.quote(name)
}

func (c Config) createIndex(column string) string {
	name, table, quoted := c.indexName(column), c.tableName(), c.Dialect.quote(column)
	switch {
	case c.Dialect == MySQL:
		return "ALTER TABLE " + table + " ADD KEY " + name + " (" + quoted + ")"
	case c.Dialect == SQLite && c.Schema != "":
		// The schema stands before the index's name, and never before the table's.
		name, table = c.Dialect.quote(c.Schema)+"."+name, c.Dialect.quote(c.Table)
	}
	return "CREATE INDEX IF NOT EXISTS " + name + " ON " + table + " (" + quoted + ")"
}
