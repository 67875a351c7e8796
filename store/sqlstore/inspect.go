package sqlstore

import (
	"context"
	"database/sql"
	"hash/fnv"
	"strings"
)

// table is what the database says of a table.
type table struct {
	exists  bool
	exact   bool   // names of columns are told apart by case
	kind    string // "" for an ordinary table, else what it is: "a view"
	hidden  bool   // rows may be kept from this user, by row level security
	columns []column
	indexes []index
}

type column struct {
	name      string
	typ       string // in lower case, as the database calls it
	collation string // MySQL's
	charset   string // MySQL's
	runes     int64  // limit of characters, 0: none
	bytes     int64  // MySQL's of bytes
	generated bool
}

type index struct {
	columns []string
	unique  bool
}

func (t table) same(a, b string) bool {
	if t.exact {
		return a == b
	}
	return strings.EqualFold(a, b)
}

func (t table) column(name string) *column {
	for i := range t.columns {
		if t.same(t.columns[i].name, name) {
			return &t.columns[i]
		}
	}
	return nil
}

// indexed reports whether an index begins with the column.
func (t table) indexed(name string) bool {
	for _, x := range t.indexes {
		if len(x.columns) > 0 && t.same(x.columns[0], name) {
			return true
		}
	}
	return false
}

// unique reports whether the column alone is a key.
func (t table) unique(name string) bool {
	for _, x := range t.indexes {
		if x.unique && len(x.columns) == 1 && t.same(x.columns[0], name) {
			return true
		}
	}
	return false
}

// queryer is a database, one connection of it or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// inspect looks the table up.
func (c Config) inspect(ctx context.Context, q queryer) (table, error) {
	switch c.Dialect {
	case Postgres:
		return c.inspectPostgres(ctx, q)
	case MySQL:
		return c.inspectMySQL(ctx, q)
	}
	return c.inspectSQLite(ctx, q)
}

// each scans all rows.
func each(ctx context.Context, q queryer, text string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c Config) inspectSQLite(ctx context.Context, q queryer) (table, error) {
	var t table
	schema := c.schema()
	err := each(ctx, q, "SELECT name, lower(type), hidden FROM pragma_table_xinfo(?, ?)", []any{c.Table, schema}, func(rows *sql.Rows) error {
		var col column
		var hidden int
		if err := rows.Scan(&col.name, &col.typ, &hidden); err != nil {
			return err
		}
		col.generated = hidden == 2 || hidden == 3
		t.columns = append(t.columns, col)
		return nil
	})
	t.exists = len(t.columns) > 0
	if err != nil || !t.exists {
		return t, err
	}
	err = each(ctx, q, "SELECT CASE WHEN type = 'view' THEN 'a view' WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'a virtual table' ELSE '' END FROM "+
		c.Dialect.quote(schema)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", []any{c.Table}, func(rows *sql.Rows) error {
		return rows.Scan(&t.kind)
	})
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, q, `SELECT l.name, l."unique" AND NOT l.partial, coalesce(i.name, '') FROM pragma_index_list(?, ?) AS l, pragma_index_info(l.name, ?) AS i ORDER BY l.name, i.seqno`,
		c.Table, schema, schema)
	return t, err
}

// readIndexes takes the table's indexes from a query for their name, whether they are
// unique, and a column, in which the columns of one index come together.
func (t *table) readIndexes(ctx context.Context, q queryer, query string, args ...any) error {
	last := ""
	return each(ctx, q, query, args, func(rows *sql.Rows) error {
		var name, col string
		var unique bool
		if err := rows.Scan(&name, &unique, &col); err != nil {
			return err
		}
		if len(t.indexes) == 0 || last != name {
			t.indexes = append(t.indexes, index{unique: unique})
			last = name
		}
		x := &t.indexes[len(t.indexes)-1]
		x.columns = append(x.columns, col)
		return nil
	})
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
