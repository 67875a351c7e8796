package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/nestsession/session/store"
)

// sqlite is the dialect of SQLite. A version is a digest that Go computes, see digestOf.
type sqlite struct{}

var sqliteTraits = func() *traits {
	t := &traits{
		name: "SQLite", quote: `"`,
		maxName:     1 << 10,
		nativeOwner: "TEXT NOT NULL DEFAULT ''",

		// Programs that insert rows without naming columns would fail on one more. They do
		// not see a generated one, which is right for the rows that they write, too. So no
		// owner is ever NULL only because another program has written the row.
		foreignOwner: "TEXT GENERATED ALWAYS AS (CASE WHEN json_valid({data}) THEN json_extract({data}, '" + ownerPath + "') END) VIRTUAL",

		oneWriter:      true,
		readOnlyAdvice: "give the process the right to write the file and its folder, and open it without mode=ro",
	}
	t.nativeTypes.text, t.nativeTypes.data, t.nativeTypes.number = "text", "text", "integer"
	return t
}()

func (sqlite) traits() *traits { return sqliteTraits }

// statements serves all tables. COLLATE BINARY makes up for a collation that ignores case
// or spaces at the end; the comparison before it uses the primary key. A listing leaves out
// ids that somebody has stored as a blob: a blob is greater than any text, so the listing
// would never get past it, and nothing else finds it either.
func (sqlite) statements(d *tableDef) *statements {
	q := &statements{
		load: d.sql(`SELECT {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} = @id AND {id} = @id COLLATE BINARY AND {live}`),

		insert: d.sql(`INSERT INTO {table} AS t ({id}, {data}, {expires}{if owner}, {owner}{end})
			VALUES (@id, @data, {new expires}{if owner}, @owner{end})
			ON CONFLICT ({id}) DO UPDATE SET {data} = excluded.{data}, {expires} = excluded.{expires}{if owner}, {owner} = excluded.{owner}{end}
			WHERE {t.id} = @id AND {t.id} = @id COLLATE BINARY AND {t.over}`),

		old: d.sql(`SELECT {data}, {owner or NULL} FROM {table}
			WHERE {id} = @id AND {id} = @id COLLATE BINARY AND {live}`),
		update: d.sql(`UPDATE {table} SET {data} = @data, {expires} = {new expires}{if owner}, {owner} = @owner{end}
			WHERE {id} = @id AND {id} = @id COLLATE BINARY AND {live}
			AND CAST({data} AS BLOB) IS CAST(@olddata AS BLOB){if owner} AND {owner} IS @oldowner{end}`),

		touch: d.sql(`UPDATE {table} SET {expires} = {new expires}
			WHERE {id} = @id AND {id} = @id COLLATE BINARY AND {live}`),

		delete: d.sql(`DELETE FROM {table}
			WHERE {id} = @id AND {id} = @id COLLATE BINARY`),

		list: d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} > @after AND {live} AND typeof({id}) = 'text' ORDER BY {id} LIMIT @limit`),
		listOwner: d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} > @after AND {live} AND {owner} = @owner AND typeof({id}) = 'text' ORDER BY {id} LIMIT @limit`),

		sweep: d.sql(`DELETE FROM {table}
			WHERE {id} IN (SELECT {id} FROM {table} WHERE {over by index} LIMIT @limit) AND {over}`),
	}
	if !d.noJSON {
		q.idList = jsonStrings
		q.loadMany = d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} IN (SELECT value FROM json_each(@ids)) AND {live}`)
	}
	return q
}

func (sqlite) createTable(c Config) []string {
	return []string{
		c.ddl(`CREATE TABLE IF NOT EXISTS {table} ({id} TEXT NOT NULL PRIMARY KEY, {owner} {owner type}, {expires} INTEGER NOT NULL, {data} TEXT NOT NULL)`),
		c.createIndex(c.OwnerColumn),
		c.createIndex(c.Columns.Expires),
	}
}

func (sqlite) createIndex(c Config, column string) string {
	name, table := c.indexName(column), c.tableName()
	if c.Schema != "" {
		// The schema stands before the index's name, and never before the table's.
		name, table = c.quote(c.Schema)+"."+name, c.quote(c.Table)
	}
	return "CREATE INDEX IF NOT EXISTS " + name + " ON " + table + " (" + c.quote(column) + ")"
}

func (sqlite) creationLock(uint64) creationLock {
	return creationLock{[]string{"BEGIN IMMEDIATE"}, "COMMIT", "ROLLBACK"}
}

func (sqlite) probe(ctx context.Context, c Config) error {
	var encoding string
	if err := c.DB.QueryRowContext(ctx, "PRAGMA encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF-8" {
		return fmt.Errorf("the database keeps text as %s, which does not keep every id distinct; make it anew with PRAGMA encoding = 'UTF-8'", encoding)
	}
	if c.DB.Stats().MaxOpenConnections == 1 {
		return nil
	}
	schema := c.schema()
	path, err := c.filePath(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("there is no attached database %q; ATTACH holds for one connection, so attach it in the driver's hook for new ones", schema)
	}
	if err != nil || path != "" {
		return err
	}
	return c.probeMemory(ctx, schema)
}

// filePath returns the path of the database's file, or "" for a database in memory.
func (c Config) filePath(ctx context.Context) (string, error) {
	var path sql.NullString
	err := c.DB.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = ? COLLATE NOCASE", c.schema()).Scan(&path)
	return path.String, err
}

// probeMemory refuses a database in memory of which each connection has its own: one
// connection would not find the table that another has made.
func (c Config) probeMemory(ctx context.Context, schema string) error {
	one, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = one.Close() }()
	two, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = two.Close() }()
	mark := c.quote(schema) + "." + c.quote("nest_probe")
	if _, err := one.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+mark+" (a)"); err != nil {
		return err
	}
	_, shared := two.ExecContext(ctx, "SELECT a FROM "+mark)
	if _, err := one.ExecContext(ctx, "DROP TABLE IF EXISTS "+mark); err != nil {
		return err
	}
	if shared != nil && ctx.Err() == nil && !c.dialect().isTransient(shared) {
		return errors.New("the database is in memory, and each connection has one of its own: call DB.SetMaxOpenConns(1), or name a file")
	}
	return nil
}

func (sqlite) inspect(ctx context.Context, c Config, db queryer) (tableInfo, error) {
	var t tableInfo
	schema := c.schema()
	err := each(ctx, db, "SELECT name, lower(type), hidden FROM pragma_table_xinfo(?, ?)", []any{c.Table, schema}, func(rows *sql.Rows) error {
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
	err = each(ctx, db, "SELECT CASE WHEN type = 'view' THEN 'a view' WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'a virtual table' ELSE '' END FROM "+
		c.quote(schema)+".sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", []any{c.Table}, func(rows *sql.Rows) error {
		return rows.Scan(&t.kind)
	})
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, db, `SELECT l.name, l."unique" AND NOT l.partial, coalesce(i.name, '') FROM pragma_index_list(?, ?) AS l, pragma_index_info(l.name, ?) AS i ORDER BY l.name, i.seqno`,
		c.Table, schema, schema)
	for i := range t.columns {
		t.columns[i].family = affinity(t.columns[i].typ)
	}
	return t, err
}

// affinity is what SQLite converts values of the column's type to; see
// https://sqlite.org/datatype3.html#determination_of_column_affinity.
func affinity(typ string) string {
	has := func(part string) bool { return strings.Contains(typ, part) }
	switch {
	case has("int"):
		return "integer"
	case has("char"), has("clob"), has("text"):
		return "text"
	}
	return "other"
}

// adopt finds out which file the database is in, and whether this SQLite was built with
// its functions for JSON, as it need not be before version 3.38.
func (sqlite) adopt(ctx context.Context, s *Store, _ tableInfo) error {
	err := s.try(ctx, func() error {
		path, err := s.config.filePath(ctx)
		s.file = openFile(path)
		return err
	})
	if err != nil {
		return s.failed(ctx, "looking for the file", "", err)
	}
	var n int
	s.def.noJSON = s.config.DB.QueryRowContext(ctx, "SELECT count(*) FROM json_each('[]')").Scan(&n) != nil
	return nil
}

// comparison reads the row and compares its digest, which SQLite cannot compute. The
// statement update then makes sure that nothing has changed since.
func (sqlite) comparison(ctx context.Context, s *Store, db queryer, r store.Record, id, now any) (comparison, error) {
	var v values
	v[pID], v[pNow] = id, now
	var data []byte
	var owner sql.NullString
	err := s.q.old.row(ctx, db, &v, &data, &owner)
	if errors.Is(err, sql.ErrNoRows) {
		return comparison{}, store.ErrNotFound
	}
	if err != nil {
		return comparison{}, err
	}
	if digestOf(data, owner.String, s.def.writesOwner()) != r.Version {
		return comparison{}, store.ErrConflict
	}
	if data == nil {
		return comparison{owner: owner}, nil
	}
	return comparison{data: string(data), owner: owner}, nil
}

func (sqlite) sweep(ctx context.Context, s *Store, v *values) (removed int, more bool, err error) {
	return s.sweepAtOnce(ctx, v)
}

// ping commits a write that changes nothing: it sets the user version, which SQLite leaves
// to applications, to the value that it has. Only a commit shows whether the disk takes it.
func (sqlite) ping(ctx context.Context, s *Store) error {
	conn, err := s.config.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	pragma := "PRAGMA " + s.config.quote(s.config.schema()) + ".user_version"
	var version int64
	err = conn.QueryRowContext(ctx, pragma).Scan(&version)
	if err == nil {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("%s = %d", pragma, version))
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// Also if ctx has ended: the connection goes back to the pool. A full disk may have
		// rolled back already.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

func (sqlite) isTransient(err error) bool {
	var temporary interface{ Temporary() bool } // ncruces/go-sqlite3 has it
	if errors.As(err, &temporary) && temporary.Temporary() {
		return true
	}
	// The primary code is in the low byte of the extended one.
	switch number(err, "Code") & 0xff {
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
		return true
	}
	return false
}

var (
	sqliteReasons = map[int64]reason{
		1299: missingValue, 275: constraint, 2067: notUnique, 1555: notUnique, 787: reference, 1811: refused,
	}
	sqlitePrimaryReasons = map[int64]reason{8: readOnly, 13: full}
)

func (sqlite) reason(err error) (r reason, refused bool) {
	code := number(err, "ExtendedCode") // mattn/go-sqlite3
	if code == 0 {
		code = number(err, "Code")
	}
	r = sqliteReasons[code]
	if r == unknown {
		r = sqlitePrimaryReasons[code&0xff]
	}
	return r, number(err, "Code") != 0
}

// schema is the attached database that the table is in.
func (c Config) schema() string {
	if c.Schema == "" {
		return "main"
	}
	return c.Schema
}

// jsonStrings encodes plain ids as JSON.
func jsonStrings(ids []string) string {
	return "[" + join(ids, func(b *strings.Builder, id string) { quoted(b, id) }) + "]"
}
