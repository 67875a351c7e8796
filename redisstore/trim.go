package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/backoff"
)

// TrimOwners removes the entries of sessions that ended more than an hour ago from the owners'
// indexes, and returns how many. The store calls it at each [Config.TrimInterval]. That
// matters for owners who never come back: the other indexes are trimmed as they are used. It
// finds the indexes with SCAN, in small steps.
func (s *Store) TrimOwners(ctx context.Context) (removed int, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	err = s.scan(ctx, s.ownerKey(""), "zset", func(keys []string) (bool, error) {
		for _, key := range keys {
			n, err := s.trimOwner(ctx, key)
			removed += n
			if err != nil {
				return false, err
			}
		}
		return true, nil
	})
	return removed, s.wrap(ctx, "trim", err)
}

// trimOwner trims all due entries of an index, a page at a time.
func (s *Store) trimOwner(ctx context.Context, key string) (removed int, err error) {
	until := s.dueUntil()
	for {
		cmd := read(s.b, "ZRANGEBYSCORE", key, "-inf", number(until), "WITHSCORES", "LIMIT", "0", number(page))
		found, err := s.read(ctx, s.client, rueidis.Commands{cmd})[0].AsZScores()
		if err != nil {
			return removed, err
		}
		if len(found) == 0 {
			return removed, nil
		}
		due := make([]entry, len(found))
		for i, z := range found {
			due[i] = entry{z.Member, int64(z.Score)}
		}
		n, err := s.trimEntries(ctx, s.ownerOf(key), due)
		removed += int(n)
		if err != nil || len(found) < page {
			return removed, err
		}
		if err := s.ready(ctx); err != nil {
			return removed, err
		}
	}
}

// trimRegularly runs TrimOwners at each interval, in one of the stores on the same sessions.
func (s *Store) trimRegularly(ctx context.Context) {
	interval := s.config.TrimInterval
	if interval < 0 || !s.hasOwners {
		return
	}
	s.running.Go(func() {
		if p, err := s.indexPage(ctx, "", 0); err == nil && !p.trusted {
			s.beginRestore() // rather than when an owner is first listed
		}
		for {
			if !backoff.Pause(ctx, interval*9/10+backoff.Below(interval/5+1)) {
				return
			}
			if err := s.trimInTurn(ctx, interval); err != nil && ctx.Err() == nil {
				s.config.Logger.WarnContext(ctx, "redisstore: owners' indexes were not trimmed", "error", err)
			}
		}
	})
}

// trimInTurn trims unless another store has done so within half an interval.
func (s *Store) trimInTurn(ctx context.Context, interval time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	turn := s.b.Set().Key(s.trimKey()).Value("1").Nx().PxMilliseconds(max(1, interval.Milliseconds()/2)).Build()
	switch err := s.do(ctx, s.client, turn).Error(); {
	case rueidis.IsRedisNil(err):
		return nil
	case err != nil:
		return s.wrap(ctx, "trim", err)
	}
	_, err := s.TrimOwners(ctx)
	if errors.Is(err, errMoved) || errors.Is(err, errMoving) || errors.Is(err, errOther) || errors.Is(err, errFailover) {
		return nil // the next run trims what this one has skipped
	}
	return err
}
