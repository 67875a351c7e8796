package sqlstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// maxRetryTime is how long a call retries because of other clients' locks if its context
// has no deadline.
const maxRetryTime = 10 * time.Second

// try calls f until it succeeds or fails for another reason than a transaction of another
// client: a deadlock, a serialization failure, a locked file. It stops when ctx ends.
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

// write is try for a statement that writes. SQLite has one writer at a time, and the others
// would have to sleep and try again. The writers of one Store wait for each other instead.
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
