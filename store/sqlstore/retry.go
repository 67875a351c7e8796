package sqlstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// maxRetryTime bounds how long a call waits for others' locks if its context has no
// deadline.
const maxRetryTime = 10 * time.Second

// try calls f, and again while the database says that it was somebody else's
// transaction that kept it from doing anything: a deadlock, a serialization failure,
// a file that is locked. It gives up with ctx.
func (s *Store) try(ctx context.Context, f func() error) error {
	err := f()
	if err == nil || !s.dialect.isTransient(err) {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxRetryTime)
		defer cancel()
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-s.open.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		if err = f(); err == nil || !s.dialect.isTransient(err) {
			return err
		}
	}
}

// write is try for a statement that writes. SQLite has one writer at a time and makes
// the others sleep and try again; those of one Store stand in line instead.
func (s *Store) write(ctx context.Context, f func() error) error {
	if s.writing == nil {
		return s.try(ctx, f)
	}
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	return s.try(ctx, f)
}
