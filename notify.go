package session

import (
	"context"
	"errors"

	"github.com/nestsession/session/store"
)

// NotifyContext returns a copy of parent that ends when the session does: a WebSocket
// or a stream of events that outlives its request must not outlive the login. It ends
// wherever the session is destroyed, regenerated or revoked, on this node or another,
// and when its idle or absolute timeout passes. A renewed session is followed; a login
// ends it, and the client comes back with the new cookie.
// [context.Cause] tells why: an error that is [ErrRevoked], [ErrDestroyed],
// [ErrRegenerated], [ErrLoggedIn] or [ErrExpired]; [ErrClosed] after [Manager.Close]; the store's if
// it could not be asked when the session's time was over as far as was known; else the
// parent's. A session that is not stored ends it at once, by [ErrNotSaved].
//
// All contexts of a node share one watch of the store and take no goroutine each. A
// store that is no [store.Watcher] is asked every Config.RecheckInterval. The caller
// calls stop when the connection ends, which frees what the context takes.
func (s *Session[T]) NotifyContext(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop = func() { cancel(context.Canceled) }
	s.mu.Lock()
	s.catchUp()
	state, key, until := s.state, s.key, s.expires
	if s.follows != "" || s.superseded {
		state = stateEnded
	}
	s.mu.Unlock()
	switch state {
	case stateNew:
		cancel(ErrNotSaved)
		return ctx, stop
	case stateStored:
	default:
		cancel(ErrRevoked)
		return ctx, stop
	}
	w := s.m.hub.Add(key, until.Time(), &follower[T]{s, cancel})
	forget := func() { s.m.hub.Remove(w) }
	unhook := context.AfterFunc(parent, forget) // not of ctx, which would take a map for it
	return ctx, func() {
		cancel(context.Canceled)
		unhook()
		forget()
	}
}

// follower ends a context with its session.
type follower[T any] struct {
	s      *Session[T]
	cancel context.CancelCauseFunc
}

func (f *follower[T]) Ended(cause error) { f.cancel(cause) }

// Moved does not wait for the session's lock, which is held while the store is asked.
func (f *follower[T]) Moved(successor string) { f.s.successor.Store(&successor) }

// KeepAlive counts as a use of the session, and puts its idle timeout off, in a
// connection that outlives the request: call it for each message. It writes only if
// the expiry moves by Config.TouchInterval, so that most calls cost nothing.
//
// Errors: [ErrRevoked] if the session has ended, [ErrNotSaved] if it is not stored
// yet, the store's, which is reported as [EventTouchFailed] too.
func (s *Session[T]) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateNew:
		return ErrNotSaved
	case stateStored:
	default:
		return ErrRevoked
	}
	if !s.due(s.recordExpiry(s.m.present())) {
		return nil
	}
	d := s.m.forCaller(ctx)
	defer d.End()
	s.catchUp()
	if s.follows != "" {
		return ErrRevoked
	}
	at, err := s.m.load(d, s.key, s.id) // a renewed session's old record must not be what is kept alive
	if err == nil {
		err = s.prolong(d, &at)
	}
	switch {
	case err == nil:
		return nil
	case isOver(err):
		ended := s.revoked(d)
		if errors.Is(err, store.ErrExpired) {
			ended = ErrExpired
		}
		return ended
	}
	err = &storeError{err}
	if ctx.Err() == nil { // else the client left, which is nobody's fault
		s.m.emit(d, Event{Kind: EventTouchFailed, Owner: s.owner, Err: err}, s.key)
	}
	return err
}

// prolong moves the expiry of what was found, unless another request has done so. How
// long a use lets the session live is what the record says by now, and not what it said
// when the connection began.
func (s *Session[T]) prolong(ctx context.Context, at *loaded[T]) error {
	if at.key != s.key {
		s.alias, s.key = s.key, at.key
	}
	s.learn(at)
	until := s.recordExpiry(s.m.present())
	if !s.due(until) {
		return nil
	}
	err := s.m.store.Touch(ctx, s.key, until.Time())
	if err == nil {
		s.deadline, s.expires = until, s.within(until)
	}
	return err
}
