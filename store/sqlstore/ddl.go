package sqlstore

import (
	"fmt"
	"strconv"
)

// Statements returns the statements that make the table of c, for an operator who would
// rather run them than set [Config.Create]. It does not use Config.DB. For the layout of
// another program, they are the ones that the program runs, and those for OwnerColumn.
//
// The error is of a Config that cannot work.
func Statements(c Config) ([]string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return c.missing(tableInfo{}), nil
}

// missing returns the statements that make what does not exist yet.
func (c Config) missing(is tableInfo) []string {
	native := c.Layout == Native
	if native && !is.exists {
		return c.dialect().createTable(c)
	}
	var todo []string
	if !is.exists {
		for _, template := range layouts[c.Layout].create {
			todo = append(todo, c.ddl(template))
		}
	}
	if c.hasDue() && is.column(dueColumn) == nil {
		todo = append(todo, c.ddl("ALTER TABLE {table} ADD COLUMN {due} "+dueType))
	}
	if c.OwnerColumn == "" {
		return todo
	}
	if is.column(c.OwnerColumn) == nil {
		todo = append(todo, c.ddl("ALTER TABLE {table} ADD COLUMN {owner} {owner type}"))
	}
	if !is.indexed(c.OwnerColumn) {
		todo = append(todo, c.createIndex(c.OwnerColumn))
	}
	swept := c.Columns.Expires
	if c.hasDue() {
		swept = dueColumn
	}
	if native && !is.indexed(swept) {
		todo = append(todo, c.createIndex(swept))
	}
	return todo
}

// ownerPath is where package session writes the owner into a document.
const ownerPath = "$.__nestsession.owner"

// ddl expands the template of a statement that makes something.
func (c Config) ddl(template string) string {
	d := c.tableDef()
	ownerType := d.traits.foreignOwner
	if d.native {
		ownerType = d.traits.nativeOwner
	}
	d.names["owner type"] = d.sql(ownerType).text
	d.names["max id"] = strconv.Itoa(MaxID)
	return d.sql(template).text
}

func (c Config) createIndex(column string) string { return c.dialect().createIndex(c, column) }

// indexName is quoted, and no longer than the database keeps.
func (c Config) indexName(column string) string {
	name := c.Table + "_" + column + "_idx"
	if c.Layout == ConnectPgSimple && column == c.Columns.Expires {
		name = "IDX_" + c.Table + "_" + column
	}
	if len(name) > c.dialect().traits().maxName {
		name = fmt.Sprintf("nest_%x_idx", hash(c.Table+"\x00"+column))
	}
	return c.quote(name)
}
