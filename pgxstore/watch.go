package pgxstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// listener reads changes while there are watchers, on one connection after the other.
type listener struct {
	store *Store
	feed  feed.Feed
	up    chan struct{} // closed when the first connection reads changes
	end   context.CancelFunc
}

// Watch implements [store.Watcher]. The documentation of the package says which changes it
// reports. It reports an event with Whole every [Config.Heartbeat] while the connection
// works. Until there is a connection, Watch keeps trying, and reports no event.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := s.addWatcher()
	if l == nil {
		return store.ErrClosed
	}
	defer s.removeWatcher()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return store.ErrClosed
	case <-l.up:
	}
	// If the connection has broken since, run opens a new one, and this watch begins with the
	// event that that reports.
	return l.feed.Watch(ctx, fn)
}

// addWatcher returns nil if the Store is closed.
func (s *Store) addWatcher() *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.watchers++
	if s.listener == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l := &listener{store: s, up: make(chan struct{}), end: cancel}
		s.listener = l
		s.running.Go(func() { l.run(ctx) })
	}
	return s.listener
}

func (s *Store) removeWatcher() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers--
	if s.watchers == 0 {
		s.listener.end()
		s.listener = nil
	}
}

// run reads changes until ctx ends, on one connection after the other.
func (l *listener) run(ctx context.Context) {
	defer l.feed.Close()
	log, broken := l.store.config.Logger, false
	for tries := 0; ; tries++ {
		err := l.listen(ctx, func() {
			tries = 0
			if broken {
				log.LogAttrs(ctx, slog.LevelInfo, "pgxstore: changes are reported again")
			}
			broken = false
		})
		if ctx.Err() != nil {
			return
		}
		if !broken {
			log.LogAttrs(ctx, slog.LevelWarn, "pgxstore: changes by other nodes are not reported at the moment; the store tries again",
				slog.String("table", l.store.config.Table), slog.Any("error", err))
		}
		broken = true
		if !backoff.Pause(ctx, backoff.Backoff(tries)) {
			return
		}
	}
}

// timeout is how long a connection may take to answer.
func (s *Store) timeout() time.Duration { return max(3*s.config.Heartbeat, time.Second) }
