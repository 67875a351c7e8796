package feed

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/store"
)

// Source publishes the changes that a server reports to a store. It listens while there are watchers,
// and listens again when that has failed. Set the exported fields before the first Watch.
type Source struct {
	// Listen receives changes and sends them to the feed of l, until ctx ends or that fails.
	Listen func(ctx context.Context, l *Listener) error

	Logger  *slog.Logger
	Package string    // the store's, for the log
	Where   slog.Attr // where the sessions are, for the log

	mu       sync.Mutex
	closed   bool
	watchers int
	listener *Listener // nil: there are no watchers
	running  sync.WaitGroup
}

// Listener listens from the first watcher on until there is none.
type Listener struct {
	Feed

	source *Source
	begun  chan struct{} // closed by the first Begin
	end    context.CancelFunc
	broken bool
	tries  int // that failed, one after the other
}

// Watch is [Feed.Watch] from the moment on at which Listen has begun. Until then it reports no event.
func (s *Source) Watch(ctx context.Context, fn func(store.Event)) error {
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
	case <-l.begun:
	}
	// If Listen has failed since, it begins again, and then this watch gets an event without an ID.
	return l.Feed.Watch(ctx, fn)
}

// join returns nil if the source is closed.
func (s *Source) join() *Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.watchers++
	if s.listener == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l := &Listener{source: s, begun: make(chan struct{}), end: cancel}
		s.listener = l
		s.running.Go(func() { l.run(ctx) })
	}
	return s.listener
}

func (s *Source) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers--
	if s.watchers == 0 {
		s.listener.end()
		s.listener = nil
	}
}

// Close ends every Watch, and waits until Listen has returned. It may be called multiple times.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		s.listener.end()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// run listens until ctx ends.
func (l *Listener) run(ctx context.Context) {
	defer l.open() // those that wait find the feed closed
	defer l.Close()
	s := l.source
	for ; ; l.tries++ {
		err := s.Listen(ctx, l)
		if ctx.Err() != nil {
			return
		}
		if !l.broken {
			s.Logger.LogAttrs(ctx, slog.LevelWarn, s.Package+": changes by other nodes are not reported at the moment; the store tries again",
				s.Where, slog.Any("error", err))
		}
		l.broken = true
		if !backoff.Pause(ctx, backoff.Backoff(l.tries)) {
			return
		}
	}
}

// Begin says that from now on no change is missed. Changes before it may have been: it sends an event
// without an ID.
func (l *Listener) Begin() {
	l.Send(store.Event{})
	l.open()
}

func (l *Listener) open() {
	select {
	case <-l.begun:
	default:
		close(l.begun)
	}
}

// Working says that the server works. If Listen fails after it, it is called again soon.
func (l *Listener) Working() {
	if l.broken {
		l.source.Logger.LogAttrs(context.Background(), slog.LevelInfo, l.source.Package+": changes are reported again")
	}
	l.broken, l.tries = false, 0
}
