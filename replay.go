package session

import (
	"context"
	"errors"

	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/replay"
)

// replayBase returns what the recorded functions run on.
func (s *Session[T]) replayBase() replay.Base[T] {
	on := replay.Base[T]{Codec: &s.m.codec, Lock: &s.mu, LargeIntegers: s.m.policy.holdsLargeIntegers()}
	if s.state <= stateStored {
		on.Doc = s.doc
	}
	return on
}

// replay runs the recorded functions on the last known data (see [replay.Changes.Replay]).
func (s *Session[T]) replay() (value *T, body []byte, err error) {
	if value, body, err = s.recorded.Replay(s.replayBase()); err == nil {
		return value, body, nil
	}
	if d := (*replay.Difference)(nil); errors.As(err, &d) {
		e := &UnrepeatableError{CauseFunction, d.Key, d.Function, d.File, d.Line}
		if d.Outside {
			e.Cause = CauseOutside
		}
		err = e
	}
	return value, body, err
}

// replayAtEnd is replay for the save at the end of a request. If a page has called no
// Update and only reorders its data to show them, its response must still be sent, and
// nothing of that is saved. If Save has already returned the error to the application, it
// is an error here too.
func (s *Session[T]) replayAtEnd(ctx context.Context) (*T, []byte, error) {
	reported := s.recorded.Reported
	value, body, err := s.replay()
	if reported || s.recorded.Any() || !errors.Is(err, ErrUnrepeatable) {
		return value, body, err
	}
	s.m.changedOutside(ctx, err, s.owner, s.key)
	s.recorded.Forget()
	return s.replay()
}

func (s *Session[T]) update(fn func(*T)) {
	s.changing()
	s.recorded.Update(s.replayBase(), fn)
}

// forget drops the view, the recorded functions, those of UpdateNote too, and the device's new
// name.
func (s *Session[T]) forget() { s.recorded.Forget(); s.named, s.noted = nil, nil }

// changing records the caller that changes the session. Handlers of HandlerFunc do not need
// this, because a panic passes through HandlerFunc.
func (s *Session[T]) changing() {
	if s.over {
		s.tooLate()
	}
	if s.traced.Load() {
		s.trace = frames.Take()
	}
}

// left reports whether the function that last changed the session has returned, and the
// callers of its helpers too. stack is what runs now.
func (s *Session[T]) left(stack []string) bool {
	s.mu.Lock()
	changed := s.trace.Names()
	s.mu.Unlock()
	return frames.Abandoned(changed, stack)
}
