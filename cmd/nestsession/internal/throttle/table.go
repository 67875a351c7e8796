package throttle

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// table keeps the rows of a [Shared] in a database.
type table struct {
	db  *sql.DB
	sql sharedStatements
}

type sharedStatements struct {
	take     string // key, every, lease, slack: changes a row if there is a place
	look     string // key: now, empty_at, and under_way while its lease lasts
	wrong    string // key
	giveBack string // every, key
	put      string // key, for how long
	has      string // key
	sweep    string
}

var shared = map[storeurl.Kind]sharedStatements{
	storeurl.Postgres: {
		take: `INSERT INTO nest_throttle AS t (key, empty_at, under_way, lease_until)
			SELECT $1::bytea, c.now + $2::bigint, 1, c.now + $3::bigint
			FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) c
			ON CONFLICT (key) DO UPDATE SET
				under_way = CASE WHEN t.lease_until < excluded.lease_until - $3::bigint THEN 1 ELSE t.under_way + 1 END,
				lease_until = excluded.lease_until,
				empty_at = greatest(t.empty_at + $2::bigint, excluded.empty_at)
			WHERE t.empty_at <= excluded.empty_at + $4::bigint`,
		look: `SELECT c.now, t.empty_at, CASE WHEN t.lease_until < c.now THEN 0 ELSE t.under_way END
			FROM nest_throttle t, (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) c WHERE t.key = $1`,
		wrong:    `UPDATE nest_throttle SET under_way = greatest(under_way - 1, 0) WHERE key = $1`,
		giveBack: `UPDATE nest_throttle SET under_way = greatest(under_way - 1, 0), empty_at = empty_at - $1 WHERE key = $2`,
		put: `INSERT INTO nest_throttle (key, empty_at, under_way, lease_until)
			VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + $2::bigint, 0, 0)
			ON CONFLICT (key) DO UPDATE SET empty_at = excluded.empty_at`,
		has: `SELECT count(*) FROM nest_throttle WHERE key = $1 AND empty_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`,
		sweep: `DELETE FROM nest_throttle WHERE key IN (
				SELECT key FROM nest_throttle WHERE empty_at < (extract(epoch FROM now()) * 1000000)::bigint - 3600000000 LIMIT 500 FOR UPDATE SKIP LOCKED)
			AND empty_at < (extract(epoch FROM now()) * 1000000)::bigint - 3600000000`,
	},

	// The processes that share a file share the machine's clock.
	storeurl.SQLite: {
		take: `INSERT INTO nest_throttle AS t (key, empty_at, under_way, lease_until)
			SELECT ?1, c.now + ?2, 1, c.now + ?3
			FROM (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now) c WHERE true
			ON CONFLICT (key) DO UPDATE SET
				under_way = CASE WHEN t.lease_until < excluded.lease_until - ?3 THEN 1 ELSE t.under_way + 1 END,
				lease_until = excluded.lease_until,
				empty_at = max(t.empty_at + ?2, excluded.empty_at)
			WHERE t.empty_at <= excluded.empty_at + ?4`,
		look: `SELECT c.now, t.empty_at, CASE WHEN t.lease_until < c.now THEN 0 ELSE t.under_way END
			FROM nest_throttle t, (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now) c WHERE t.key = ?`,
		wrong:    `UPDATE nest_throttle SET under_way = max(under_way - 1, 0) WHERE key = ?`,
		giveBack: `UPDATE nest_throttle SET under_way = max(under_way - 1, 0), empty_at = empty_at - ? WHERE key = ?`,
		put: `INSERT INTO nest_throttle (key, empty_at, under_way, lease_until)
			VALUES (?, CAST(unixepoch('subsec') * 1000000 AS INTEGER) + ?, 0, 0)
			ON CONFLICT (key) DO UPDATE SET empty_at = excluded.empty_at`,
		has: `SELECT count(*) FROM nest_throttle WHERE key = ? AND empty_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
		sweep: `DELETE FROM nest_throttle WHERE key IN (
				SELECT key FROM nest_throttle WHERE empty_at < CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 3600000000 LIMIT 500)`,
	},

	// MySQL assigns from left to right, and has no condition: a row that stays as it is counts as
	// not affected.
	storeurl.MySQL: {
		take: "INSERT INTO nest_throttle (`key`, empty_at, under_way, lease_until)" + `
			SELECT c.k, c.now + c.every, 1, c.now + c.lease
			FROM (SELECT CAST(? AS BINARY(32)) AS k, CAST(? AS SIGNED) AS every, CAST(? AS SIGNED) AS lease, CAST(? AS SIGNED) AS slack,
				TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS now) c
			ON DUPLICATE KEY UPDATE
				under_way = IF(empty_at <= VALUES(empty_at) + c.slack, IF(lease_until < c.now, 1, under_way + 1), under_way),
				lease_until = IF(empty_at <= VALUES(empty_at) + c.slack, VALUES(lease_until), lease_until),
				empty_at = IF(empty_at <= VALUES(empty_at) + c.slack, GREATEST(empty_at + c.every, VALUES(empty_at)), empty_at)`,
		look: `SELECT c.now, t.empty_at, IF(t.lease_until < c.now, 0, t.under_way)
			FROM nest_throttle t, (SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS now) c ` + "WHERE t.`key` = ?",
		wrong:    "UPDATE nest_throttle SET under_way = GREATEST(under_way - 1, 0) WHERE `key` = ?",
		giveBack: "UPDATE nest_throttle SET under_way = GREATEST(under_way - 1, 0), empty_at = empty_at - ? WHERE `key` = ?",
		put: "INSERT INTO nest_throttle (`key`, empty_at, under_way, lease_until)" + `
			VALUES (?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) + ?, 0, 0)
			ON DUPLICATE KEY UPDATE empty_at = VALUES(empty_at)`,
		has: "SELECT count(*) FROM nest_throttle WHERE `key` = ?" + ` AND empty_at > TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))`,
		sweep: `DELETE FROM nest_throttle
			WHERE empty_at < TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) - 3600000000 LIMIT 500`,
	},
}

// swept is the limit in the statement.
const swept = 500

func (t *table) take(ctx context.Context, key []byte, every, lease, slack int64) (taken bool, now, empty, underWay int64, err error) {
	n, err := t.exec(ctx, t.sql.take, key, every, lease, slack)
	if err == nil && n == 0 {
		err = t.query(ctx, t.sql.look, []any{key}, &now, &empty, &underWay)
	}
	return n > 0, now, empty, underWay, err
}

func (t *table) wrong(ctx context.Context, key []byte) error {
	_, err := t.exec(ctx, t.sql.wrong, key)
	return err
}

func (t *table) giveBack(ctx context.Context, key []byte, every int64) error {
	_, err := t.exec(ctx, t.sql.giveBack, every, key)
	return err
}

func (t *table) put(ctx context.Context, key []byte, keep int64) error {
	_, err := t.exec(ctx, t.sql.put, key, keep)
	return err
}

func (t *table) has(ctx context.Context, key []byte) (bool, error) {
	var n int
	err := t.query(ctx, t.sql.has, []any{key}, &n)
	return n > 0, err
}

func (t *table) sweep(ctx context.Context) (bool, error) {
	n, err := t.exec(ctx, t.sql.sweep)
	return n >= swept, err
}

func (t *table) exec(ctx context.Context, statement string, args ...any) (affected int64, err error) {
	err = again(func() error {
		res, err := t.db.ExecContext(ctx, statement, args...)
		if err == nil {
			affected, err = res.RowsAffected()
		}
		return err
	})
	return affected, err
}

func (t *table) query(ctx context.Context, statement string, args []any, to ...any) error {
	return again(func() error { return t.db.QueryRowContext(ctx, statement, args...).Scan(to...) })
}

// again repeats a statement that a database has refused because of others at the same time, and of
// which it has done nothing.
func again(do func() error) (err error) {
	for range 10 {
		err = do()
		var pg *pgconn.PgError
		var my *mysql.MySQLError
		if !(errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") || errors.As(err, &my) && my.Number == 1213) {
			return err
		}
	}
	return err
}
