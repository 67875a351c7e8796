package sqlstore

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quote makes an identifier of any text: whatever it holds is part of the name and
// nothing else (connect-pg-simple before 6.0.1 had an injection here).
func (d Dialect) quote(name string) string {
	q := `"`
	if d == MySQL {
		q = "`"
	}
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// literal makes a string of any text.
func (d Dialect) literal(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if d == MySQL {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	return "'" + text + "'"
}

// maxName is the longest name in bytes that the database keeps whole. PostgreSQL
// cuts a longer one without an error, so that two tables could become one.
func (d Dialect) maxName() int {
	switch d {
	case Postgres:
		return 63
	case MySQL:
		return 64 // characters; what is longer the server refuses itself
	}
	return 1 << 10
}

func (c Config) checkNames() error {
	names := []struct {
		field, name string
		optional    bool
	}{
		{"Schema", c.Schema, true},
		{"Table", c.Table, false},
		{"Columns.ID", c.Columns.ID, false},
		{"Columns.Data", c.Columns.Data, false},
		{"Columns.Expires", c.Columns.Expires, false},
		{"OwnerColumn", c.OwnerColumn, true},
	}
	columns := map[string]string{}
	for _, n := range names {
		if n.name == "" && n.optional {
			continue
		}
		length := len(n.name)
		if c.Dialect == MySQL {
			length = utf8.RuneCountInString(n.name)
		}
		switch {
		case n.name == "":
			return fmt.Errorf("sqlstore: Config.%s is empty", n.field)
		case strings.ContainsRune(n.name, 0) || !utf8.ValidString(n.name):
			return fmt.Errorf("sqlstore: Config.%s %q is no name: it holds a NUL or is not UTF-8", n.field, n.name)
		case length > c.Dialect.maxName():
			return fmt.Errorf("sqlstore: Config.%s %q is longer than the %d that %v keeps of a name", n.field, n.name, c.Dialect.maxName(), c.Dialect)
		}
		if strings.Contains(n.field, "Column") {
			folded := n.name
			if c.Dialect != Postgres {
				folded = strings.ToLower(folded)
			}
			if other := columns[folded]; other != "" {
				return fmt.Errorf("sqlstore: Config.%s and Config.%s are both %q", other, n.field, n.name)
			}
			columns[folded] = n.field
		}
	}
	return nil
}

// tableName is the table's name as statements have it.
func (c Config) tableName() string {
	if c.Schema == "" {
		return c.Dialect.quote(c.Table)
	}
	return c.Dialect.quote(c.Schema) + "." + c.Dialect.quote(c.Table)
}
