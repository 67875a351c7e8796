package sqlstore

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// maxSweepBatch keeps the number of rows in a statement within what every database takes.
const maxSweepBatch = 10_000

// sweepLoop sweeps until Close.
func (s *Store) sweepLoop() {
	defer close(s.sweeperDone)
	every := s.config.SweepInterval
	if every < 0 {
		return
	}
	for {
		timer := time.NewTimer(every + rand.N(every/2+1))
		select {
		case <-s.open.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if _, err := s.Sweep(s.open); err != nil && s.open.Err() == nil {
			s.config.Logger.LogAttrs(s.open, slog.LevelWarn, "sqlstore: sweeping expired sessions failed; the store tries again later",
				slog.String("table", s.config.Table), slog.Any("error", err))
		}
	}
}

// Sweep implements [store.Sweeper]. The store sweeps by itself, see [Config.SweepInterval];
// several nodes may sweep at the same time. Each batch is a transaction of its own and
// compares the expiry again, so that a session that was touched in the meantime stays.
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
	v[pNow], v[pLimit] = s.def.times.now(s.present()), int64(s.config.SweepBatch)
	return s.dialect.sweep(ctx, s, &v)
}

// sweepAtOnce removes a batch in one statement.
func (s *Store) sweepAtOnce(ctx context.Context, v *values) (removed int, more bool, err error) {
	n, err := s.q.sweep.exec(ctx, s.config.DB, v)
	return int(n), int(n) == s.config.SweepBatch, err
}
