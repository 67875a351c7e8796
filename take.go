package session

import (
	"bytes"
	"context"
)

// Take applies fn as [Session.Update] does, saves at once as [Session.Save] does, and
// returns fn's result from the run whose data were stored. So if several requests take a
// one-time value at the same moment, exactly one of them gets it. Use it for the state of
// an OAuth login, a message that is shown once, or the right to refresh a token.
//
//	state, err := session.Take(ctx, s, func(a *Account) string {
//		state := a.State
//		a.State = ""
//		return state
//	})
//
// fn may be called several times, on data that other requests have saved in the meantime.
// Its result says what this run took. If fn changes nothing, Take writes nothing and
// creates no session, and the changes of other calls still wait for the end of the request.
//
// On an error Take returns the zero value of V, and fn's change is not tried again. Errors:
// [ErrRevoked] if the session has ended; those of [Session.Save]. After an error of the
// store the value may be lost without any request having it.
func Take[T, V any](ctx context.Context, s *Session[T], fn func(data *T) V) (V, error) {
	d := s.enter(ctx)
	defer s.leave(d)
	var taken, none V
	if s.mu.InUpdate() {
		return none, s.mu.Misuse
	}
	if s.state > stateStored || s.follows != nil {
		return none, ErrRevoked
	}
	changed := false
	before := s.recorded.Len()
	s.update(func(data *T) {
		was, werr := s.m.codec.Encode(data)
		taken = fn(data)
		is, err := s.m.codec.Encode(data)
		changed = werr != nil || err != nil || !bytes.Equal(was, is)
	})
	if !changed {
		s.recorded.Undo()
		return taken, nil
	}
	s.enough, s.taking = func() bool { return !changed }, true
	defer func() {
		s.enough, s.taking = nil, false
		s.recorded.Cut(before) // also if fn panics in its second run
	}()
	if err := s.save(d); err != nil {
		s.reportSave(d, err)
		return none, err
	}
	if changed {
		s.saved = s.doc
	}
	return taken, nil
}
