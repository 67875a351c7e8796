package sqlstore

import (
	"context"
	"database/sql"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// maxBatch keeps the parameters of a statement within what every database takes.
const maxBatch = 10_000

// chunk is how many rows of a batch MySQL deletes at a time, by their keys: few locks,
// held shortly.
const chunk = 100

// sweepNowAndThen sweeps until Close.
func (s *Store) sweepNowAndThen() {
	defer close(s.swept)
	every := s.config.SweepInterval
	if every < 0 {
		return
	}
	for {
		timer := time.NewTimer(every + rand.N(every/2+1))
		select {
		case <-s.ended.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if _, err := s.Sweep(s.ended); err != nil && s.ended.Err() == nil {
			s.config.Logger.LogAttrs(s.ended, slog.LevelWarn, "sqlstore: sweeping expired sessions failed; it is tried again",
				slog.String("table", s.config.Table), slog.Any("error", err))
		}
	}
}

// Sweep implements [store.Sweeper]. The store does it by itself, see
// [Config.SweepInterval], and several nodes may at once. Each batch is a transaction
// of its own and looks at the expiry again, so that a session that was touched
// meanwhile stays.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	for {
		if err := s.ready(ctx); err != nil {
			return removed, err
		}
		n, more := 0, false
		err := s.write(ctx, func() (err error) {
			n, more, err = s.sweepBatch(ctx)
			return err
		})
		removed += n
		if err != nil {
			return removed, s.failed(ctx, "sweep", "", err)
		}
		if !more {
			return removed, nil
		}
	}
}

func (s *Store) sweepBatch(ctx context.Context) (removed int, more bool, err error) {
	var v values
	v[pNow], v[pLimit] = s.shape.times.now(s.present()), int64(s.config.SweepBatch)
	if s.shape.dialect == MySQL {
		return s.sweepKeys(ctx, &v)
	}
	n, err := s.q.sweep.exec(ctx, s.config.DB, &v)
	return int(n), int(n) == s.config.SweepBatch, err
}

// sweepKeys asks for the keys first and deletes by them: a DELETE of MySQL by another
// condition locks all rows that it looks at, the live ones too.
func (s *Store) sweepKeys(ctx context.Context, v *values) (removed int, more bool, err error) {
	keys, err := s.expiredKeys(ctx, v)
	if err != nil {
		return 0, false, err
	}
	more = len(keys) == s.config.SweepBatch
	slices.Sort(keys) // one order for all nodes, so that they do not deadlock
	for part := range slices.Chunk(keys, chunk) {
		text := "DELETE FROM " + s.shape.table + " WHERE " + s.shape.id + " IN (?" + strings.Repeat(", ?", len(part)-1) + ") AND " +
			s.shape.expires + " <= ?"
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
