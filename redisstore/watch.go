package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/store"
)

// watched is a store that was opened, as Unwrap shows it.
type watched struct {
	store.Store
	tracking *tracking
}

// Watch implements [store.Watcher].
func (w watched) Watch(ctx context.Context, fn func(store.Event)) error {
	return w.tracking.feed.Watch(ctx, fn)
}

// Unwrap leads to a [store.Watcher] if the store was made by [Open], and to nothing
// otherwise.
func (s *Store) Unwrap() store.Store {
	if s.tracking == nil {
		return nil
	}
	return watched{s, s.tracking}
}

// together is how long what may be the store's own write waits for more of it, so that
// all are looked at in one round trip.
const together = 5 * time.Millisecond

// look tells of what is in the queue, in turn, until ctx ends.
func (s *Store) look(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.tracking.wake:
		}
		if !backoff.Pause(ctx, together) {
			return
		}
		for queue := s.tracking.take(); len(queue) > 0; {
			n := 0
			for n < min(len(queue), page) && queue[n].id != "" {
				n++
			}
			s.lookAt(ctx, queue[:n])
			if queue = queue[n:]; len(queue) > 0 && queue[0].id == "" {
				s.tracking.feed.Send(store.Event{Whole: queue[0].whole})
				queue = queue[1:]
			}
		}
	}
}

// lookAt tells of changes that may be the store's own.
func (s *Store) lookAt(ctx context.Context, changes []told) {
	if len(changes) == 0 {
		return
	}
	var cmds rueidis.Commands
	for _, c := range changes {
		cmds = s.layout.reads(cmds, s.key(c.id))
	}
	answers := send(ctx, s.client, true, cmds)
	each := len(cmds) / len(changes)
	for i, c := range changes {
		r, err := s.layout.record(c.id, answers[i*each:(i+1)*each])
		e := store.Event{ID: c.id, Ended: rueidis.IsRedisNil(err)}
		if err == nil && r.Version == c.ours.version && s.sameExpiry(r.Expires, c.ours.expires) {
			e.Version = r.Version
		}
		s.tracking.feed.Send(e)
	}
}

// sameExpiry compares what is stored with what was to be. connect-redis's layout keeps
// seconds, rounded up, that are left.
func (s *Store) sameExpiry(stored, asked time.Time) bool {
	resolution := time.Millisecond
	if s.config.Express {
		resolution = 2 * time.Second
	}
	return stored.Sub(asked).Abs() < resolution
}
