package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nestsession/session/store"
)

// postgres is the dialect of PostgreSQL. A version is the row's xmin, the transaction that
// wrote it last.
type postgres struct{}

var postgresTraits = func() *traits {
	t := &traits{
		name: "Postgres", quote: `"`, numbered: true,
		maxName:      63, // a longer name is cut without an error, so that two tables could become one
		nameCase:     true,
		nativeOwner:  "bytea NOT NULL DEFAULT ''",
		foreignOwner: `text COLLATE "C"`,
		bytesText:    true,
		bytesData:    true,
		hasDue:       true,
		rowVersions:  true,

		// A request's statement is a transaction of its own. What PostgreSQL checks before a
		// commit has to be checked in the trial, which is not committed.
		beginTrial:     "SET CONSTRAINTS ALL IMMEDIATE",
		readOnlyAdvice: serverReadOnly,
	}
	t.nativeTypes.text, t.nativeTypes.data, t.nativeTypes.number = "bytea", "bytea", "bigint"
	return t
}()

func (postgres) traits() *traits { return postgresTraits }

func (p postgres) statements(d *tableDef) *statements {
	if d.native {
		return p.nativeStatements(d)
	}
	return p.foreignStatements(d)
}

// nativeStatements compare bytes. The statements for many rows skip rows that are locked:
// they wait for no other transaction, so that no two of them deadlock.
func (postgres) nativeStatements(d *tableDef) *statements {
	return &statements{
		idList: byteas[string],

		load: d.sql(`SELECT {data}, {owner}, {expires}, xmin FROM {table}
			WHERE {id} = @id AND {expires} > @now`),
		loadMany: d.sql(`SELECT {id}, {data}, {owner}, {expires}, xmin FROM {table}
			WHERE {id} = ANY(@ids) AND {expires} > @now`),

		insert: d.sql(`INSERT INTO {table} AS t ({id}, {data}, {expires}, {owner}, {due})
			VALUES (@id, @data, @expires, @owner, @due)
			ON CONFLICT ({id}) DO UPDATE SET {data} = excluded.{data}, {expires} = excluded.{expires}, {owner} = excluded.{owner}, {due} = excluded.{due}
			WHERE {t.id} = @id AND {t.expires} <= @now
			RETURNING xmin`),

		update: d.sql(`UPDATE {table} SET {data} = @data, {expires} = @expires, {due} = @due, {owner} = @owner
			WHERE {id} = @id AND {expires} > @now AND xmin = @version::int4
			RETURNING xmin`),
		updateMany: d.sql(`WITH w AS MATERIALIZED (SELECT v.id, v.data, v.expires, v.due, v.owner
			FROM unnest(@ids::bytea[], @versions::bigint[], @datas::bytea[], @expiries::bigint[], @dues::bigint[], @owners::bytea[]) AS v(id, version, data, expires, due, owner)
			JOIN {table} AS t ON {t.id} = v.id
			WHERE t.xmin = v.version::int4 AND {t.expires} > @now FOR NO KEY UPDATE OF t SKIP LOCKED)
			UPDATE {table} AS t SET {data} = w.data, {expires} = w.expires, {due} = w.due, {owner} = w.owner
			FROM w WHERE {t.id} = w.id
			RETURNING {t.id}, t.xmin`),

		touch: d.sql(`UPDATE {table} SET {expires} = @expires, {due} = @due
			WHERE {id} = @id AND {expires} > @now`),

		delete: d.sql(`DELETE FROM {table}
			WHERE {id} = @id`),
		deleteMany: d.sql(`WITH w AS MATERIALIZED (SELECT {t.id} FROM {table} AS t WHERE {t.id} = ANY(@ids::bytea[]) FOR UPDATE SKIP LOCKED)
			DELETE FROM {table} AS t USING w WHERE {t.id} = w.{id}
			RETURNING {t.id}`),

		list: d.sql(`SELECT {id}, {data}, {owner}, {expires}, xmin FROM {table}
			WHERE {id} > @after AND {expires} > @now ORDER BY {id} LIMIT @limit`),
		listOwner: d.sql(`SELECT {id}, {data}, {owner}, {expires}, xmin FROM {table}
			WHERE {id} > @after AND {expires} > @now AND {owner} = @owner ORDER BY {id} LIMIT @limit`),

		sweep: d.sql(`DELETE FROM {table}
			WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {expires} <= @now AND {due} <= @now LIMIT @limit FOR UPDATE SKIP LOCKED)) AND {expires} <= @now`),
	}
}

// foreignStatements compare ids twice: by the column's own collation, so that the primary
// key is used, and byte for byte, since that collation may ignore case or accents. The
// default collation yields to a column's; the one of convert_from, "C", would not.
func (postgres) foreignStatements(d *tableDef) *statements {
	return &statements{
		idList: textArray,

		load: d.sql(`SELECT {data}::text, {owner or NULL}, {expires as ms}, xmin FROM {table}
			WHERE {id} = @id AND {id}::text COLLATE "C" = @id::text COLLATE "C" AND {live}`),
		loadMany: d.sql(`SELECT {id}::text, {data}::text, {owner or NULL}, {expires as ms}, xmin FROM {table}
			WHERE {id} = ANY(@ids) AND {live}`),

		insert: d.sql(`INSERT INTO {table} AS t ({id}, {data}, {expires}{if owner}, {owner}{end})
			VALUES (@id, @data, {new expires}{if owner}, @owner{end})
			ON CONFLICT ({id}) DO UPDATE SET {data} = excluded.{data}, {expires} = excluded.{expires}{if owner}, {owner} = excluded.{owner}{end}
			WHERE {t.id} = @id AND {t.id}::text COLLATE "C" = @id::text COLLATE "C" AND {t.over}
			RETURNING xmin`),

		update: d.sql(`UPDATE {table} SET {data} = @data, {expires} = {new expires}{if owner}, {owner} = @owner{end}
			WHERE {id} = @id AND {id}::text COLLATE "C" = @id::text COLLATE "C" AND {live} AND xmin = @version::int4
			RETURNING xmin`),
		updateMany: d.sql(`WITH w AS MATERIALIZED (SELECT v.id, v.data, v.expires, v.owner
			FROM (SELECT convert_from(id, 'UTF8') COLLATE "default" AS id, version, convert_from(data, 'UTF8') AS data, expires, convert_from(owner, 'UTF8') AS owner
				FROM unnest(@ids::bytea[], @versions::bigint[], @datas::bytea[], @expiries::bigint[], @owners::bytea[]) AS u(id, version, data, expires, owner)) AS v
			JOIN {table} AS t ON {t.id} = v.id AND {t.id}::text COLLATE "C" = v.id COLLATE "C"
			WHERE t.xmin = v.version::int4 AND {t.live} FOR NO KEY UPDATE OF t SKIP LOCKED)
			UPDATE {table} AS t SET {data} = w.data::json, {expires} = {new expires of w}{if owner}, {owner} = w.owner{end}
			FROM w WHERE {t.id} = w.id AND {t.id}::text COLLATE "C" = w.id COLLATE "C"
			RETURNING {t.id}::text, t.xmin`),

		touch: d.sql(`UPDATE {table} SET {expires} = {new expires}
			WHERE {id} = @id AND {id}::text COLLATE "C" = @id::text COLLATE "C" AND {live}`),

		delete: d.sql(`DELETE FROM {table}
			WHERE {id} = @id AND {id}::text COLLATE "C" = @id::text COLLATE "C"`),
		deleteMany: d.sql(`WITH w AS MATERIALIZED (SELECT {t.id} FROM {table} AS t
			WHERE {t.id} = ANY(@ids::text[]) AND {t.id}::text COLLATE "C" = ANY(@ids::text[]) FOR UPDATE SKIP LOCKED)
			DELETE FROM {table} AS t USING w WHERE {t.id} = w.{id}
			RETURNING {t.id}::text`),

		list: d.sql(`SELECT {id}, {data}::text, {owner or NULL}, {expires as ms}, xmin FROM {table}
			WHERE {id} > @after AND {live} ORDER BY {id} LIMIT @limit`),
		listOwner: d.sql(`SELECT {id}, {data}::text, {owner or NULL}, {expires as ms}, xmin FROM {table}
			WHERE {id} > @after AND {live} AND {owner} = @owner ORDER BY {id} LIMIT @limit`),
		listUnowned: d.sql(`SELECT {id}, {data}::text, {owner or NULL}, {expires as ms}, xmin FROM {table}
			WHERE {id} > @after AND {live} AND {owner} IS NULL ORDER BY {id} LIMIT @limit`),

		sweep: d.sql(`DELETE FROM {table}
			WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {over by index} LIMIT @limit FOR UPDATE SKIP LOCKED)) AND {over}`),
	}
}

func (postgres) createTable(c Config) []string {
	return []string{
		c.ddl(`CREATE TABLE IF NOT EXISTS {table} ({id} bytea PRIMARY KEY, {owner} {owner type}, {expires} bigint NOT NULL, {due} ` + dueType + `, {data} bytea NOT NULL) WITH (fillfactor = 80)`),
		c.createIndex(c.OwnerColumn),
		c.createIndex(dueColumn),
	}
}

func (postgres) createIndex(c Config, column string) string {
	return "CREATE INDEX IF NOT EXISTS " + c.indexName(column) + " ON " + c.tableName() + " (" + c.quote(column) + ")"
}

func (postgres) creationLock(key uint64) creationLock {
	lock := fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(key))
	return creationLock{[]string{"BEGIN", lock}, "COMMIT", "ROLLBACK"}
}

func (postgres) probe(context.Context, Config) error { return nil }

func (postgres) inspect(ctx context.Context, c Config, db queryer) (tableInfo, error) {
	t := tableInfo{exact: true}
	name := []any{c.tableName()}
	err := each(ctx, db, `SELECT a.attname, format_type(a.atttypid, NULL), CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 0 THEN a.atttypmod - 4 ELSE 0 END, a.attgenerated <> ''
		FROM pg_attribute a WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, name,
		func(rows *sql.Rows) error {
			var col column
			if err := rows.Scan(&col.name, &col.typ, &col.runes, &col.generated); err != nil {
				return err
			}
			col.family = col.typ
			t.columns = append(t.columns, col)
			return nil
		})
	t.exists = len(t.columns) > 0
	if err != nil || !t.exists {
		return t, err
	}
	err = db.QueryRowContext(ctx, `SELECT CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN 'a partitioned table' ELSE '' END,
		row_security_active(oid) FROM pg_class WHERE oid = to_regclass($1::text)`, name...).Scan(&t.kind, &t.hidden)
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, db, `SELECT i.indexrelid::text, i.indisunique AND i.indpred IS NULL AND i.indimmediate AND i.indisvalid, coalesce(a.attname, '')
		FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
		LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass($1::text) AND k.place <= i.indnkeyatts ORDER BY i.indexrelid, k.place`, name...)
	return t, err
}

// adopt checks the rights, which PostgreSQL checks when a statement runs and not when it is
// prepared, and finds out the time zone of the column's times.
func (p postgres) adopt(ctx context.Context, s *Store, is tableInfo) error {
	if err := p.checkRights(ctx, s); err != nil || s.def.native {
		return err
	}
	c := s.config
	switch id := is.column(c.Columns.ID); id.typ {
	case "character varying", "text", "citext":
		s.limits.idRunes = int(id.runes)
	default:
		return s.wrongType(id, "varchar") // char does not keep how many spaces an id ends with
	}
	switch data := is.column(c.Columns.Data); data.typ {
	case "json", "jsonb", "text", "character varying":
	default:
		return s.wrongType(data, "json")
	}
	switch col := is.column(c.Columns.Expires); col.typ {
	case "timestamp with time zone":
		s.def.times = timestamps{}
		return nil
	case "timestamp without time zone":
		return p.adoptZone(ctx, s)
	default:
		return s.wrongType(col, "timestamp")
	}
}

func (postgres) checkRights(ctx context.Context, s *Store) error {
	var all bool
	err := s.try(ctx, func() error {
		return s.config.DB.QueryRowContext(ctx, `SELECT bool_and(has_table_privilege(to_regclass($1::text), p))
			FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p`, s.def.table).Scan(&all)
	})
	if err != nil {
		return s.failed(ctx, "reading the rights on "+s.def.table, "", err)
	}
	if !all {
		return fmt.Errorf("sqlstore: the user may not use the table: GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO it", s.def.table)
	}
	return nil
}

// adoptZone finds out the time zone of a column that has none.
func (p postgres) adoptZone(ctx context.Context, s *Store) error {
	zone := s.config.TimeZone
	if zone == "" {
		err := s.try(ctx, func() (err error) {
			zone, err = p.defaultZone(ctx, s.config.DB)
			return err
		})
		if err != nil {
			return s.failed(ctx, "finding out the time zone of "+s.def.table, "", err)
		}
	}
	s.zone = zone
	s.def.setZone("'" + strings.ReplaceAll(zone, "'", "''") + "'")
	_, err := s.config.DB.ExecContext(ctx, "SELECT now() AT TIME ZONE "+s.def.names["zone"])
	return s.failed(ctx, fmt.Sprintf("the time zone %q", zone), "", err)
}

// setZone says in which time zone the column's times are. The zone is a literal of SQL.
func (d *tableDef) setZone(literal string) {
	d.times, d.names["zone"] = timestamps{zone: literal}, literal
}

// defaultZone is the time zone that the database gives a connection that does not set one,
// as Node's do not. This connection's own zone may be another, by its connection string or
// by a SET since.
func (postgres) defaultZone(ctx context.Context, db *sql.DB) (zone string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SET LOCAL TimeZone TO DEFAULT"); err != nil {
		return "", err
	}
	var source string
	if err := tx.QueryRowContext(ctx, "SELECT setting, source FROM pg_settings WHERE name = 'TimeZone'").Scan(&zone, &source); err != nil {
		return "", err
	}
	if source == "client" {
		return "", errors.New("the column has none, and the connection string sets a time zone, which hides the database's own: remove it from the string, or set Config.TimeZone to the zone of the other program's connections (SHOW TimeZone there)")
	}
	return zone, nil
}

// xmin is a version as a parameter that is compared with the row's xmin. PostgreSQL compares
// that with an int4 of the same 32 bits. No row has the xmin 0.
func xmin(v store.Version) int64 {
	if v > math.MaxUint32 {
		return 0 // no version of this store
	}
	return int64(int32(uint32(v)))
}

func (postgres) comparison(_ context.Context, _ *Store, _ queryer, r store.Record, _, _ any) (comparison, error) {
	return comparison{version: xmin(r.Version)}, nil
}

func (postgres) sweep(ctx context.Context, s *Store, v *values) (removed int, more bool, err error) {
	return s.sweepAtOnce(ctx, v)
}

func (postgres) ping(ctx context.Context, s *Store) error { return s.touchNothing(ctx) }

func (postgres) isTransient(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return false
}

// postgresReasons are by SQLSTATE.
var postgresReasons = map[string]reason{
	"23502": missingValue, "428C9": generated, "23514": constraint, "23505": notUnique, "23P01": notUnique,
	"23503": reference, "22001": tooNarrow, "42501": denied, "25006": readOnly, "P0001": refused, "53100": full,
}

func (postgres) reason(err error) (r reason, refused bool) {
	return postgresReasons[sqlState(err)], isUndone(err)
}

// isUndone reports whether PostgreSQL has refused a statement. If it has not answered, or
// says that it is broken or shutting down, the statement may have taken effect.
func isUndone(err error) bool {
	code := sqlState(err)
	unsure := func(class string) bool { return strings.HasPrefix(code, class) }
	return code != "" && !slices.ContainsFunc([]string{"08", "57P", "58", "F0", "XX"}, unsure)
}
