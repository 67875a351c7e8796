package session

import (
	"context"
	"time"
)

// Renew gives the session a new id and keeps its data: from time to time, so that an id
// which has leaked is of no use for long. At a login take [Session.Login], since the old
// id goes on reading the session for a while: until the client has come with the new one
// and Config.RenewGrace has passed, so that requests in flight go on as the same
// session, their updates included. A client that did not get the response comes with the
// old id again, and gets the new one then, within [MaxRenewRepair]. What this request
// has changed is saved with it. A session that another request has renewed since this
// one was sent stays as it is.
//
// Errors: [ErrRevoked], [ErrHeaderSent], those of [Session.Save].
func (s *Session[T]) Renew(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.m.asked(ctx)
	defer d.End()
	ctx = d
	s.catchUp()
	if s.headerSent {
		return ErrHeaderSent
	}
	switch {
	case s.state == stateNew:
		s.id, s.key = "", "" // nobody has it yet
		return nil
	case s.state != stateStored || s.follows != "":
		return ErrRevoked
	}
	if s.alias != "" {
		return nil // found through an old id: renewed a moment ago
	}
	err := s.move(ctx, "")
	if err != nil {
		s.reportSave(ctx, err)
	}
	return err
}

// MaxRenewRepair is for how long after [Session.Renew] the old id leads to the session
// if no request has come with the new one: the client did not get it.
const MaxRenewRepair = 24 * time.Hour

const (
	// maxPoints bounds how often a renewal is tried whose outcome is not known.
	maxPoints = 5

	// linger is for how many milliseconds a pointer is kept after the grace. It answers
	// nobody then, but a request that was in flight all the while still finds where the
	// session went.
	linger = 60_000
)
