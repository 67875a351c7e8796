package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nestsession/session/store"
)

// mysql is the dialect of MySQL and MariaDB. A version is a digest, which the statement
// update computes as digestOf does.
type mysql struct{}

var mysqlTraits = func() *traits {
	t := &traits{
		name: "MySQL", quote: "`",
		maxName: 64, nameRunes: true,
		nativeOwner:    fmt.Sprintf("varbinary(%d) NOT NULL DEFAULT ''", MaxOwner),
		foreignOwner:   fmt.Sprintf("varbinary(%d)", MaxOwner),
		bytesData:      true,
		countsChanged:  true,
		noRollback:     true,
		readOnlyAdvice: serverReadOnly,
	}
	t.nativeTypes.text, t.nativeTypes.data, t.nativeTypes.number = "varbinary", "blob", "bigint"
	return t
}()

func (mysql) traits() *traits { return mysqlTraits }

func (m mysql) statements(d *tableDef) *statements {
	if d.native {
		return m.nativeStatements(d)
	}
	return m.foreignStatements(d)
}

// nativeStatements compare bytes. A new session takes the place of an expired one by the
// statement replace: the answer to a conditional upsert depends on a setting of the driver.
func (mysql) nativeStatements(d *tableDef) *statements {
	return &statements{
		load: d.sql(`SELECT {data}, {owner}, {expires} FROM {table}
			WHERE {id} = @id AND {expires} > @now`),

		insert: d.sql(`INSERT INTO {table} ({id}, {data}, {expires}, {owner})
			VALUES (@id, @data, @expires, @owner)`),
		replace: d.sql(`UPDATE {table} SET {data} = @data, {expires} = @expires, {owner} = @owner
			WHERE {id} = @id AND {expires} <= @now`),

		update: d.sql(`UPDATE {table} SET {data} = @data, {expires} = @expires, {owner} = @owner
			WHERE {id} = @id AND {expires} > @now
			AND LEFT(SHA2(CONCAT(SHA2({data}, 256), COALESCE({owner}, '')), 256), 16) = @version`),

		touch: d.sql(`UPDATE {table} SET {expires} = @expires
			WHERE {id} = @id AND {expires} > @now`),

		delete: d.sql(`DELETE FROM {table}
			WHERE {id} = @id`),

		list: d.sql(`SELECT {id}, {data}, {owner}, {expires} FROM {table}
			WHERE {id} > @after AND {expires} > @now ORDER BY {id} LIMIT @limit`),
		listOwner: d.sql(`SELECT {id}, {data}, {owner}, {expires} FROM {table}
			WHERE {id} > @after AND {expires} > @now AND {owner} = @owner ORDER BY {id} LIMIT @limit`),

		expired: d.sql(`SELECT {id} FROM {table}
			WHERE {expires} <= @now LIMIT @limit`),
	}
}

// foreignStatements compare ids twice: by the column's own collation, so that the primary
// key is used, and byte for byte, since that collation may ignore case, accents or spaces
// at the end.
func (mysql) foreignStatements(d *tableDef) *statements {
	q := &statements{
		load: d.sql(`SELECT {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY) AND {live}`),

		insert: d.sql(`INSERT INTO {table} ({id}, {data}, {expires}{if owner}, {owner}{end})
			VALUES (@id, @data, {new expires}{if owner}, @owner{end})`),
		replace: d.sql(`UPDATE {table} SET {data} = @data, {expires} = {new expires}{if owner}, {owner} = @owner{end}
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY) AND {over}`),

		touch: d.sql(`UPDATE {table} SET {expires} = {new expires}
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY) AND {live}`),

		delete: d.sql(`DELETE FROM {table}
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY)`),

		list: d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} > @after AND {live} ORDER BY {id} LIMIT @limit`),
		listOwner: d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} > @after AND {live} AND {owner} = @owner ORDER BY {id} LIMIT @limit`),
		listUnowned: d.sql(`SELECT {id}, {data}, {owner or NULL}, {expires as ms} FROM {table}
			WHERE {id} > @after AND {live} AND {owner} IS NULL ORDER BY {id} LIMIT @limit`),

		expired: d.sql(`SELECT {id} FROM {table}
			WHERE {over by index} LIMIT @limit`),
	}
	if d.hasOwner {
		q.update = d.sql(`UPDATE {table} SET {data} = @data, {expires} = {new expires}, {owner} = @owner
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY) AND {live}
			AND LEFT(SHA2(CONCAT(SHA2(CAST(CONVERT({data} USING utf8mb4) AS BINARY), 256), COALESCE(CAST(CONVERT({owner} USING utf8mb4) AS BINARY), '')), 256), 16) = @version`)
	} else {
		q.update = d.sql(`UPDATE {table} SET {data} = @data, {expires} = {new expires}
			WHERE {id} = @id AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(CONVERT(@id USING utf8mb4) AS BINARY) AND {live}
			AND LEFT(SHA2(CAST(CONVERT({data} USING utf8mb4) AS BINARY), 256), 16) = @version`)
	}
	return q
}

func (mysql) createTable(c Config) []string {
	return []string{c.ddl(`CREATE TABLE IF NOT EXISTS {table} ({id} varbinary({max id}) NOT NULL, {owner} {owner type}, {expires} bigint NOT NULL, {data} longblob NOT NULL,
		PRIMARY KEY ({id}), KEY {owner index} ({owner}), KEY {expires index} ({expires})) ENGINE=InnoDB`)}
}

func (mysql) createIndex(c Config, column string) string {
	return "ALTER TABLE " + c.tableName() + " ADD KEY " + c.indexName(column) + " (" + c.quote(column) + ")"
}

// creationLock is a lock by name, since in MySQL each statement that makes something is a
// transaction of its own. The name has room for 64 characters, hence the hash.
func (mysql) creationLock(key uint64) creationLock {
	name := fmt.Sprintf("'nestsession %x'", key)
	release := "DO RELEASE_LOCK(" + name + ")"
	return creationLock{[]string{"DO GET_LOCK(" + name + ", 30)"}, release, release}
}

func (mysql) probe(context.Context, Config) error { return nil }

func (mysql) inspect(ctx context.Context, c Config, db queryer) (tableInfo, error) {
	var t tableInfo
	where := " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?"
	name := []any{c.Table}
	if c.Schema != "" {
		where = " WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
		name = []any{c.Schema, c.Table}
	}
	err := each(ctx, db, `SELECT COLUMN_NAME, LOWER(COLUMN_TYPE), COALESCE(COLLATION_NAME, ''), COALESCE(CHARACTER_SET_NAME, ''),
		COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(CHARACTER_OCTET_LENGTH, 0), EXTRA LIKE '%VIRTUAL%' OR EXTRA LIKE '%STORED%'
		FROM information_schema.COLUMNS`+where+" ORDER BY ORDINAL_POSITION", name,
		func(rows *sql.Rows) error {
			var col column
			err := rows.Scan(&col.name, &col.typ, &col.collation, &col.charset, &col.runes, &col.bytes, &col.generated)
			col.family = col.typ
			t.columns = append(t.columns, col)
			return err
		})
	t.exists = len(t.columns) > 0
	if err != nil || !t.exists {
		return t, err
	}
	err = db.QueryRowContext(ctx, `SELECT CASE WHEN TABLE_TYPE LIKE '%VIEW%' THEN 'a view' ELSE '' END FROM information_schema.TABLES`+where, name...).Scan(&t.kind)
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, db, `SELECT INDEX_NAME, NON_UNIQUE = 0 AND SUB_PART IS NULL, COALESCE(COLUMN_NAME, '')
		FROM information_schema.STATISTICS`+where+" ORDER BY INDEX_NAME, SEQ_IN_INDEX", name...)
	return t, err
}

// adopt learns the limits of the columns. Older versions of express-mysql-session made
// them smaller, and operators make them larger.
func (mysql) adopt(_ context.Context, s *Store, is tableInfo) error {
	c := s.config
	id, data, expires := is.column(c.Columns.ID), is.column(c.Columns.Data), is.column(c.Columns.Expires)
	if s.def.native {
		s.limits.idBytes = int(min(int64(MaxID), id.bytes))
		s.limits.owner = int(min(int64(MaxOwner), is.column(c.OwnerColumn).bytes))
		s.limits.data = int(data.bytes)
		return nil
	}
	switch {
	case !strings.HasPrefix(id.typ, "varchar") && !strings.HasPrefix(id.typ, "varbinary"):
		return s.wrongType(id, "varchar")
	case data.typ == "json":
		return fmt.Errorf("%w: json rewrites documents, and the store could not recognise them", s.wrongType(data, "mediumtext"))
	case !strings.Contains(data.typ, "text"):
		return s.wrongType(data, "mediumtext")
	case !strings.Contains(expires.typ, "int"):
		return s.wrongType(expires, "int unsigned")
	}
	s.limits.idRunes, s.limits.data = int(id.runes), int(data.bytes)
	for col, basic := range map[*column]*bool{id: &s.limits.basicID, data: &s.limits.basicData} {
		switch col.charset {
		case "", "utf8mb4":
		case "utf8", "utf8mb3":
			*basic = true
		default:
			return fmt.Errorf("sqlstore: the column %q of %s has the character set %s, which cannot keep every document: convert the table to utf8mb4", col.name, s.def.table, col.charset)
		}
	}
	most := int64(math.MaxInt32)
	switch {
	case strings.HasPrefix(expires.typ, "bigint"):
		most = lastTimestamp
	case strings.Contains(expires.typ, "unsigned"):
		most = math.MaxUint32
	}
	s.def.times = seconds{most: most}
	return nil
}

func (mysql) comparison(_ context.Context, _ *Store, _ queryer, r store.Record, _, _ any) (comparison, error) {
	return comparison{version: digestText(r.Version)}, nil
}

// sweep reads the keys first and deletes by them: a DELETE of MySQL by another condition
// locks all rows that it looks at, the live ones too.
func (mysql) sweep(ctx context.Context, s *Store, v *values) (removed int, more bool, err error) {
	keys, err := s.expiredKeys(ctx, v)
	if err != nil {
		return 0, false, err
	}
	more = len(keys) == s.config.SweepBatch
	slices.Sort(keys) // one order for all nodes, so that they do not deadlock
	for part := range slices.Chunk(keys, mysqlSweepKeys) {
		text := s.def.sql("DELETE FROM {table} WHERE {id} IN (?" + strings.Repeat(", ?", len(part)-1) + ") AND {expires} <= ?").text
		args := make([]any, 0, len(part)+1)
		for _, key := range part {
			args = append(args, key)
		}
		var r sql.Result
		err := s.try(ctx, func() (err error) {
			r, err = s.config.DB.ExecContext(ctx, text, append(args, v[pNow])...)
			return err
		})
		if err != nil {
			return removed, false, err
		}
		n, err := r.RowsAffected()
		removed += int(n)
		if err != nil {
			return removed, false, err
		}
	}
	return removed, more, nil
}

// mysqlSweepKeys is how many rows one DELETE of a sweep names, so that it holds few locks
// for a short time.
const mysqlSweepKeys = 100

func (s *Store) expiredKeys(ctx context.Context, v *values) (keys []string, err error) {
	rows, err := s.q.expired.rows(ctx, s.config.DB, v)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

func (mysql) ping(ctx context.Context, s *Store) error { return s.touchNothing(ctx) }

func (mysql) isTransient(err error) bool {
	switch number(err, "Number") {
	case mysqlDeadlock, mysqlLockTimeout:
		return true
	}
	return false
}

// mysqlReasons are by the error numbers of MySQL and MariaDB.
var mysqlReasons = map[int64]reason{
	1364: missingValue, 1048: missingValue, 1906: generated, 3105: generated, mysqlNoPartition: noPartition, 3819: constraint, 4025: constraint,
	mysqlDuplicate: notUnique, 1452: reference, 1216: reference, 1406: tooNarrow, mysqlDenied: denied, mysqlColumnDenied: denied,
	1290: readOnly, 1792: readOnly, 1836: readOnly, 1644: refused, 1114: full, 1021: full,
}

func (mysql) reason(err error) (r reason, refused bool) {
	n := number(err, "Number")
	return mysqlReasons[n], n != 0
}
