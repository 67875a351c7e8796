package sqlstore

import (
	"context"
	"database/sql"
	"hash/fnv"
	"strings"
)

// tableInfo is the database's description of a table.
type tableInfo struct {
	exists  bool
	exact   bool   // names of columns differ by case
	kind    string // "" for an ordinary table, else what it is: "a view"
	hidden  bool   // row level security may hide rows from this user
	columns []column
	indexes []index
}

type column struct {
	name      string
	typ       string // in lower case, as the database calls it
	family    string // the type, or SQLite's affinity for it
	collation string // MySQL's
	charset   string // MySQL's
	runes     int64  // the most characters; 0: no limit
	bytes     int64  // MySQL's limit of bytes
	generated bool
}

type index struct {
	columns []string
	unique  bool
}

func (t tableInfo) same(a, b string) bool {
	if t.exact {
		return a == b
	}
	return strings.EqualFold(a, b)
}

func (t tableInfo) column(name string) *column {
	for i := range t.columns {
		if t.same(t.columns[i].name, name) {
			return &t.columns[i]
		}
	}
	return nil
}

// indexed reports whether an index begins with the column.
func (t tableInfo) indexed(name string) bool {
	for _, x := range t.indexes {
		if len(x.columns) > 0 && t.same(x.columns[0], name) {
			return true
		}
	}
	return false
}

// unique reports whether the column has a unique index of its own.
func (t tableInfo) unique(name string) bool {
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

// readIndexes reads the table's indexes from a query whose rows are an index's name,
// whether it is unique, and one of its columns; the rows of an index follow each other.
func (t *tableInfo) readIndexes(ctx context.Context, q queryer, query string, args ...any) error {
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

func (t tableInfo) columnNames() string {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
