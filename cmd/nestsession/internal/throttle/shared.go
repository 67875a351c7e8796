package throttle

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// ErrUnavailable means that the database of the counts did not answer as it should. An attempt that
// cannot be counted is refused.
var ErrUnavailable = errors.New("throttle: the database of the counts is unavailable")

// Shared keeps counts in the database of the users, so that several servers count together, and a
// restart forgets nothing. Package users makes its table, nest_throttle.
//
// A row is the bucket of a [Limiter], without its sketch: the instant when it will be empty. An
// attempt takes its place in the bucket when it begins, and gives it back at the end if it was not
// wrong. So the places of a server that is killed count as wrong attempts, and become free as those
// do. under_way is how many of the places belong to attempts in progress: another attempt waits for
// them, and is refused at once if the others alone fill the bucket. All instants are of the
// database's clock, in microseconds since 1970.
//
// A key is an HMAC, so that the table shows neither addresses nor what was typed as a name.
type Shared struct {
	db     *sql.DB
	sql    sharedStatements
	macs   [][]byte // keys of the HMAC, one for each secret
	ending context.CancelFunc
	ended  sync.WaitGroup
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

const (
	// lease is how long an attempt in progress is waited for: longer than attempts last.
	lease = 30 * time.Second

	// waitTime is how long an attempt waits for those in progress on other servers, and standstill
	// how long while none of them ends: their server may have been killed.
	waitTime   = 20 * time.Second
	standstill = 5 * time.Second

	// settleTime is how long the database may take for the beginning or the end of an attempt.
	settleTime = 5 * time.Second

	// sweepInterval is how often rows are removed that have been empty for an hour, which is longer
	// than any attempt lasts: its place is never given back to the row of others.
	sweepInterval = time.Minute

	// swept is the limit in the statement.
	swept = 500
)

// NewShared uses the table in the database, with keys derived from the secrets of the sessions. Close
// it before the database.
func NewShared(db *sql.DB, kind storeurl.Kind, secrets []string) (*Shared, error) {
	statements, known := shared[kind]
	if !known || len(secrets) == 0 {
		return nil, fmt.Errorf("throttle: no counts in %s with %d secrets", kind, len(secrets))
	}
	s := &Shared{db: db, sql: statements}
	for _, secret := range secrets {
		mac, err := hkdf.Key(sha256.New, []byte(secret), nil, "nestsession throttle", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("throttle: %w", err)
		}
		s.macs = append(s.macs, mac)
	}
	var ctx context.Context
	ctx, s.ending = context.WithCancel(context.Background())
	s.ended.Go(func() {
		tick := time.NewTicker(sweepInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.Sweep(ctx)
			}
		}
	})
	return s, nil
}

// Close ends the sweeps.
func (s *Shared) Close() error {
	s.ending()
	s.ended.Wait()
	return nil
}

// Sweep removes rows that count nothing any more, in small steps. It is called once a minute.
func (s *Shared) Sweep(ctx context.Context) {
	for {
		// An error means that the next sweep does it.
		if n, err := s.exec(ctx, s.sql.sweep); err != nil || n < swept {
			return
		}
	}
}

// key returns the key of a row. Counts are under the last secret: when a new one is put in front of
// the others, server by server, all go on counting together.
func (s *Shared) key(limiter, key string) []byte {
	return row(s.macs[len(s.macs)-1], limiter, key)
}

func row(mac []byte, limiter, key string) []byte {
	h := hmac.New(sha256.New, mac)
	h.Write([]byte(limiter))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return h.Sum(nil)
}

// take takes a place in a bucket. It waits while the outcome of attempts elsewhere decides whether
// there is one.
func (s *Shared) take(ctx context.Context, limiter, key string, rate Rate) error {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	id := s.key(limiter, key)
	every := rate.Every.Microseconds()
	burst := int64(rate.Burst) * every
	var before [2]int64
	var since time.Time
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		// A canceled statement may have taken a place that nobody gives back.
		whole, done := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		taken, err := s.exec(whole, s.sql.take, id, every, lease.Microseconds(), burst-2*every)
		done()
		if err != nil {
			return s.failed(ctx, err)
		}
		if taken > 0 {
			return nil
		}
		var now, emptyAt, underWay int64
		if err := s.query(ctx, s.sql.look, []any{id}, &now, &emptyAt, &underWay); err != nil {
			return s.failed(ctx, err)
		}
		// Without the attempts in progress.
		if after := max(emptyAt-underWay*every, now) + every - burst - now; after > 0 {
			return &TooMany{After: time.Duration(after) * time.Microsecond}
		}
		switch state := [2]int64{emptyAt, underWay}; {
		case state != before:
			before, since = state, time.Now()
		case time.Since(since) > standstill:
			return fmt.Errorf("%w on other servers", ErrBusy)
		}
		select {
		case <-ctx.Done():
			return s.failed(ctx, ctx.Err())
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// settle ends an attempt. If that fails it counts as wrong.
func (s *Shared) settle(limiter, key string, rate Rate, wrong bool) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	id := s.key(limiter, key)
	if wrong {
		_, _ = s.exec(ctx, s.sql.wrong, id)
		return
	}
	_, _ = s.exec(ctx, s.sql.giveBack, rate.Every.Microseconds(), id)
}

// put remembers a key for a while. If that fails it is not known, which only makes guesses at the
// name count there.
func (s *Shared) put(key string, keep time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	_, _ = s.exec(ctx, s.sql.put, row(s.macs[0], "known", key), keep.Microseconds())
}

// has reports whether a key was put under any of the secrets.
func (s *Shared) has(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for _, mac := range s.macs {
		var n int
		if err := s.query(ctx, s.sql.has, []any{row(mac, "known", key)}, &n); err != nil {
			return false, s.failed(ctx, err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

func (s *Shared) exec(ctx context.Context, statement string, args ...any) (affected int64, err error) {
	err = again(func() error {
		res, err := s.db.ExecContext(ctx, statement, args...)
		if err == nil {
			affected, err = res.RowsAffected()
		}
		return err
	})
	return affected, err
}

func (s *Shared) query(ctx context.Context, statement string, args []any, to ...any) error {
	return again(func() error { return s.db.QueryRowContext(ctx, statement, args...).Scan(to...) })
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

// failed tells attempts that have waited too long from a database that does not answer.
func (s *Shared) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
