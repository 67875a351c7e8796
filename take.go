package session

import (
	"bytes"
	"context"
)

// Take applies fn as [Session.Update] does, saves at once as [Session.Save] does, and
// returns what fn returned in the run whose outcome was stored. So of all requests that
// ask for a one-time value at the same moment exactly one gets it: the state of an OAuth
// login, a message that is shown once, the turn to refresh a token.
//
//	state, err := session.Take(ctx, s, func(a *Account) string {
//		state := a.State
//		a.State = ""
//		return state
//	})
//
// fn may be called several times, on data that other requests have saved meanwhile, and
// says in its result what this run has taken. Where it changes nothing, nothing is
// written, no session is created, and what other calls have changed waits for the end of
// the request as before.
//
// On an error V is the zero value and fn's change is not tried again: [ErrRevoked] on a
// session that has ended, and those of [Session.Save]. After one of the store's the value
// may be gone without anybody having it.
func Take[T, V any](ctx context.Context, s *Session[T], fn func(data *T) V) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.forCaller(ctx)
	defer d.End()
	s.catchUp()
	var taken, none V
	if s.mu.InUpdate() {
		return none, s.mu.Misuse
	}
	if s.state > stateStored || s.follows != "" {
		return none, ErrRevoked
	}
	changed := false
	before := len(s.updates)
	s.update(func(data *T) {
		was, werr := s.m.codec.Encode(data)
		taken = fn(data)
		is, err := s.m.codec.Encode(data)
		changed = werr != nil || err != nil || !bytes.Equal(was, is)
	})
	if !changed {
		s.updates = s.updates[:before]
		s.shown = true // by the result, perhaps
		return taken, nil
	}
	s.enough, s.taking = func() bool { return !changed }, true
	defer func() { s.enough, s.taking = nil, false }()
	err := s.save(d)
	if err != nil || !changed {
		s.takeBack(before)
	}
	if err != nil {
		s.reportSave(d, err)
		return none, err
	}
	if changed {
		s.saved = s.doc
	}
	return taken, nil
}

// takeBack forgets the updates from n on, unless all are forgotten. The view is made
// anew from the others.
func (s *Session[T]) takeBack(n int) {
	if len(s.updates) > n {
		clear(s.updates[n:])
		s.updates = s.updates[:n]
		s.unview()
	}
}
