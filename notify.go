package session

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/store"
)

// NotifyContext returns a copy of parent that is canceled when the session ends. Use it for
// a WebSocket or an event stream, which outlives its request but must not outlive the
// login. The context ends when the session is destroyed, regenerated or revoked, on this
// node or another, and when its idle or absolute timeout passes. It follows a session that
// is renewed. A login ends it: the client reconnects with the new cookie. If the session is
// not stored, the context ends at once with [ErrNotSaved].
//
// [context.Cause] returns the reason: an error that is [ErrRevoked], [ErrDestroyed],
// [ErrRegenerated], [ErrLoggedIn] or [ErrExpired]; [ErrLapsed] if a [Guard] limits it;
// [ErrClosed] after [Manager.Close]; the store's error, if the last known expiry has passed and the store cannot be polled;
// otherwise the parent's cause.
//
// All contexts of a node share one watch of the store, and none needs a goroutine. If the
// store is not a [store.Watcher], it is polled every Config.StoreLimits.RecheckInterval. Call stop when
// the connection ends, to release the context's resources.
func (s *Session[T]) NotifyContext(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop = func() { cancel(context.Canceled) }
	s.mu.Lock()
	s.catchUp()
	state, key, until := s.state, s.key, s.expires
	if s.follows != nil || s.superseded {
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
	w := s.m.records.Hub.Add(key, until.Time(), &follower[T]{s, cancel})
	forget := func() { s.m.records.Hub.Remove(w) }
	if s.lapses != 0 {
		lapse := time.AfterFunc(s.lapses.Sub(s.m.present()), func() { cancel(ErrLapsed) })
		context.AfterFunc(ctx, func() { lapse.Stop() })
	}
	unhook := context.AfterFunc(parent, forget) // not of ctx, which would allocate a map for it
	return ctx, func() {
		cancel(context.Canceled)
		unhook()
		forget()
	}
}

// follower cancels a context when its session ends.
type follower[T any] struct {
	s      *Session[T]
	cancel context.CancelCauseFunc
}

func (f *follower[T]) Ended(cause error) { f.cancel(cause) }

// Moved does not wait for the session's lock, which is held during calls to the store.
func (f *follower[T]) Moved(successor string) { f.s.successor.Store(&successor) }

// KeepAlive counts as use of the session and moves its idle timeout, for a connection that
// outlives its request. Call it for each message. It writes to the store only if the expiry
// moves by Config.StoreLimits.TouchInterval, so most calls cost nothing.
//
// Errors: [ErrRevoked] if the session has ended; [ErrNotSaved] if it is not stored yet; the
// store's, which [EventTouchFailed] reports too.
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
	if s.follows != nil {
		return ErrRevoked
	}
	at, err := s.m.load(d, s.key, s.doc.Opener(s.id)) // if the session was renewed, the new record must be kept alive
	if err == nil {
		err = s.prolong(d, &at)
	}
	switch {
	case err == nil:
		return nil
	case records.IsOver(err):
		ended := s.revoked(d)
		if errors.Is(err, store.ErrExpired) {
			ended = ErrExpired
		}
		return ended
	}
	err = &records.Failure{Err: err}
	if ctx.Err() == nil { // otherwise the client disconnected, which is no failure
		s.m.emit(d, Event{Kind: EventTouchFailed, Owner: s.owner, Err: err}, s.key)
	}
	return err
}

// prolong moves the expiry of the record that was found, unless another request has done
// so. It uses the session's lifetime as the record has it now, not as it was when the
// connection began.
func (s *Session[T]) prolong(ctx context.Context, at *loaded[T]) error {
	if at.key != s.key {
		s.alias, s.key = s.key, at.key
	}
	s.learn(at)
	until := s.recordExpiry(s.m.present())
	if !s.due(until) {
		return nil
	}
	err := s.m.records.Store.Touch(ctx, s.key, until.Time())
	if err == nil {
		s.deadline, s.expires = until, s.within(until)
	}
	return err
}
