package sqlstore

import (
	"context"
	"database/sql"
)

func (c Config) inspectPostgres(ctx context.Context, q queryer) (table, error) {
	t := table{exact: true}
	name := []any{c.tableName()}
	err := each(ctx, q, `SELECT a.attname, format_type(a.atttypid, NULL), CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 0 THEN a.atttypmod - 4 ELSE 0 END, a.attgenerated <> ''
		FROM pg_attribute a WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, name,
		func(rows *sql.Rows) error {
			var col column
			if err := rows.Scan(&col.name, &col.typ, &col.runes, &col.generated); err != nil {
				return err
			}
			t.columns = append(t.columns, col)
			return nil
		})
	t.exists = len(t.columns) > 0
	if err != nil || !t.exists {
		return t, err
	}
	err = q.QueryRowContext(ctx, `SELECT CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN 'a partitioned table' ELSE '' END,
		row_security_active(oid) FROM pg_class WHERE oid = to_regclass($1::text)`, name...).Scan(&t.kind, &t.hidden)
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, q, `SELECT i.indexrelid::text, i.indisunique AND i.indpred IS NULL AND i.indimmediate AND i.indisvalid, coalesce(a.attname, '')
		FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
		LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass($1::text) AND k.place <= i.indnkeyatts ORDER BY i.indexrelid, k.place`, name...)
	return t, err
}

func (c Config) inspectMySQL(ctx context.Context, q queryer) (table, error) {
	var t table
	where := " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?"
	name := []any{c.Table}
	if c.Schema != "" {
		where = " WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
		name = []any{c.Schema, c.Table}
	}
	err := each(ctx, q, `SELECT COLUMN_NAME, LOWER(COLUMN_TYPE), COALESCE(COLLATION_NAME, ''), COALESCE(CHARACTER_SET_NAME, ''),
		COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), COALESCE(CHARACTER_OCTET_LENGTH, 0), EXTRA LIKE '%VIRTUAL%' OR EXTRA LIKE '%STORED%'
		FROM information_schema.COLUMNS`+where+" ORDER BY ORDINAL_POSITION", name,
		func(rows *sql.Rows) error {
			var col column
			err := rows.Scan(&col.name, &col.typ, &col.collation, &col.charset, &col.runes, &col.bytes, &col.generated)
			t.columns = append(t.columns, col)
			return err
		})
	t.exists = len(t.columns) > 0
	if err != nil || !t.exists {
		return t, err
	}
	err = q.QueryRowContext(ctx, `SELECT CASE WHEN TABLE_TYPE LIKE '%VIEW%' THEN 'a view' ELSE '' END FROM information_schema.TABLES`+where, name...).Scan(&t.kind)
	if err != nil {
		return t, err
	}
	err = t.readIndexes(ctx, q, `SELECT INDEX_NAME, NON_UNIQUE = 0 AND SUB_PART IS NULL, COALESCE(COLUMN_NAME, '')
		FROM information_schema.STATISTICS`+where+" ORDER BY INDEX_NAME, SEQ_IN_INDEX", name...)
	return t, err
}
