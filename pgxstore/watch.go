package pgxstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// listening is a connection that listens, and its successors, for as long as there is
// somebody who watches.
type listening struct {
	store *Store
	feed  feed.Feed
	up    chan struct{} // closed when it listens for the first time
	end   context.CancelFunc
}

// Watch implements [store.Watcher]. What it tells, and what it does not, is said in the
// documentation of the package. It sends an event with Whole every [Config.Heartbeat] for
// as long as the connection is whole. The first event comes when there is one; until then
// Watch waits, and tries.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := s.join()
	if l == nil {
		return store.ErrClosed
	}
	defer s.leave()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return store.ErrClosed
	case <-l.up:
	}
	// It may have broken off since. Then it will be taken up, with another such event as
	// the first of this watch.
	return l.feed.Watch(ctx, fn)
}

// join adds one who watches. Nil: the Store is closed.
func (s *Store) join() *listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.watchers++
	if s.listening == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l := &listening{store: s, up: make(chan struct{}), end: cancel}
		s.listening = l
		s.running.Go(func() { l.run(ctx) })
	}
	return s.listening
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers--
	if s.watchers == 0 {
		s.listening.end()
		s.listening = nil
	}
}

// run listens until ctx ends, on one connection after the other.
func (l *listening) run(ctx context.Context) {
	defer l.feed.Close()
	log, broken := l.store.config.Logger, false
	for tries := 0; ; tries++ {
		err := l.listen(ctx, func() {
			tries = 0
			if broken {
				log.LogAttrs(ctx, slog.LevelInfo, "pgxstore: changes are told again")
			}
			broken = false
		})
		if ctx.Err() != nil {
			return
		}
		if !broken {
			log.LogAttrs(ctx, slog.LevelWarn, "pgxstore: changes made elsewhere are not told at the moment; it is tried again",
				slog.String("table", l.store.config.Table), slog.Any("error", err))
		}
		broken = true
		if !backoff.Pause(ctx, backoff.Backoff(tries)) {
			return
		}
	}
}

// patience is how long a connection may take to answer.
func (s *Store) patience() time.Duration { return max(3*s.config.Heartbeat, time.Second) }
