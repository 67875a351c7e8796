package sqlstore

import (
	"context"
	"math"
	"time"

	"github.com/nestsession/session/store"
)

// Touch implements [store.Store], in one statement. With PostgreSQL the version
// changes with it.
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if s.limits.id(id) != nil {
		return store.ErrNotFound
	}
	err := s.write(ctx, func() error { return s.touch(ctx, id, expires) })
	return s.failed(ctx, "touch", id, err)
}

func (s *Store) touch(ctx context.Context, id string, expires time.Time) error {
	for range maxTries {
		var v values
		now := s.present()
		v[pID], v[pNow] = s.def.text(id), s.def.times.now(now)
		end := s.expiry(expires, now)
		v[pExpires], v[pDue] = s.def.times.encode(end, now), due(end, now)
		n, err := s.q.touch.exec(ctx, s.config.DB, &v)
		if n > 0 || err != nil {
			return err
		}
		is, err := s.loadOnce(ctx, id)
		if err != nil {
			return err
		}
		if s.def.traits.countsChanged && s.keeps(is.Expires, v[pExpires]) {
			return nil // the row is already as it should be
		}
	}
	return ownError("other clients kept removing the session and creating it again")
}

// expiry is a record's in milliseconds since 1970.
func (s *Store) expiry(t time.Time, now int64) int64 {
	switch {
	case !t.IsZero():
		return instant(t)
	case s.def.native || s.config.TTL == NoTTL:
		return never
	}
	return now + s.config.TTL.Milliseconds()
}

// keeps reports whether an expiry that was read is the one that was to be written.
func (s *Store) keeps(is time.Time, written any) bool {
	ms := int64(never)
	if !is.IsZero() {
		ms = is.UnixMilli()
	}
	return s.def.times.encode(ms, math.MinInt64) == written
}
