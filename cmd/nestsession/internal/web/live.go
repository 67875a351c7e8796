package web

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/backoff"
)

// maxStreams limits how many streams a user may have open on a node.
const maxStreams = 50

// live notifies the streams of a node when the list of a user's sessions may have changed: at once
// if it changed on this node, otherwise at the next poll. It has no goroutine of its own, and reads
// a list once for all streams of a user.
type live struct {
	list  func(ctx context.Context, owner string) ([]device, error)
	every time.Duration

	mu     sync.Mutex
	owners map[string]*watched // the owners with open streams
}

// watched is the sessions of an owner.
type watched struct {
	owner   string
	streams map[*stream]struct{} // under live.mu
	changes int                  // under live.mu: how often the list was changed on this node

	turn chan struct{} // holds a token when nobody reads the list; the goroutine that took it owns the fields below
	last []device
	at   time.Time // when last was read; zero: never
	seen int       // changes at that time
}

// stream is an open stream.
type stream struct {
	*watched
	wake chan struct{} // holds a token when the list has changed
}

func newLive(list func(context.Context, string) ([]device, error), every time.Duration) *live {
	return &live{list: list, every: every, owners: map[string]*watched{}}
}

// join adds a stream. It returns nil if the owner has too many.
func (l *live) join(owner string) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.owners[owner]
	if w == nil {
		w = &watched{owner: owner, streams: map[*stream]struct{}{}, turn: make(chan struct{}, 1)}
		w.turn <- struct{}{}
		l.owners[owner] = w
	}
	if len(w.streams) >= maxStreams {
		return nil
	}
	s := &stream{w, make(chan struct{}, 1)}
	w.streams[s] = struct{}{}
	return s
}

func (l *live) leave(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(s.streams, s)
	if len(s.streams) == 0 {
		delete(l.owners, s.owner)
	}
}

// listenTo returns an OnEvent that also calls the previous one.
func (l *live) listenTo(before func(context.Context, session.Event)) func(context.Context, session.Event) {
	return func(ctx context.Context, e session.Event) {
		switch e.Kind {
		case session.EventCreated, session.EventLoggedIn, session.EventRenewed, session.EventRegenerated, session.EventDestroyed, session.EventRevoked:
			l.changed(e.Owner)
		}
		if before != nil {
			before(ctx, e)
		}
	}
}

// changed wakes the streams of an owner. It never blocks: a session is locked while its events are
// delivered.
func (l *live) changed(owner string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.owners[owner]
	if w == nil {
		return
	}
	w.changes++
	for s := range w.streams {
		select {
		case s.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// read returns the list. The list has the last change on this node, and is at most half an interval
// old.
func (l *live) read(ctx context.Context, w *watched) ([]device, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-w.turn:
		defer func() { w.turn <- struct{}{} }()
	}
	l.mu.Lock()
	changes := w.changes
	l.mu.Unlock()
	if now := time.Now(); w.at.IsZero() || w.seen != changes || now.Sub(w.at) >= l.every/2 {
		list, err := l.list(ctx, w.owner)
		if err != nil {
			return nil, err
		}
		w.last, w.at, w.seen = list, now, changes
	}
	return w.last, nil
}

// pause waits until the list has changed or the next poll is due, and reports false if ctx has
// ended. After failures it waits longer.
func (l *live) pause(ctx context.Context, s *stream, failures int) bool {
	wait := l.every/2 + backoff.Below(l.every)
	if failures > 0 {
		wait += backoff.Backoff(failures)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s.wake:
	case <-t.C:
	}
	return true
}
