package sqlstore

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quote makes an identifier of any text: all of it is part of the name
// (connect-pg-simple before 6.0.1 had an injection here).
func (c Config) quote(name string) string {
	q := c.dialect().traits().quote
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// tableName is the table's name as statements have it.
func (c Config) tableName() string {
	if c.Schema == "" {
		return c.quote(c.Table)
	}
	return c.quote(c.Schema) + "." + c.quote(c.Table)
}

func (c Config) checkNames() error {
	t := c.dialect().traits()
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
		if t.nameRunes {
			length = utf8.RuneCountInString(n.name)
		}
		switch {
		case n.name == "":
			return fmt.Errorf("sqlstore: Config.%s is empty", n.field)
		case strings.ContainsRune(n.name, 0) || !utf8.ValidString(n.name):
			return fmt.Errorf("sqlstore: Config.%s %q is not a name: it holds a NUL or is not UTF-8", n.field, n.name)
		case length > t.maxName:
			return fmt.Errorf("sqlstore: Config.%s %q is longer than the %d that %v keeps of a name", n.field, n.name, t.maxName, c.Dialect)
		}
		if strings.Contains(n.field, "Column") {
			folded := n.name
			if !t.nameCase {
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
