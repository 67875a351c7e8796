package session

import (
	"context"
	"net/http"
	"strings"

	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/store"
)

// Why what a request has changed was dropped, or a cookie did not leave, because of how
// the request went on.
const (
	ReasonPanicked Reason = "handler panicked"             // whoever recovered from it
	ReasonFailed   Reason = "handler failed"               // a 5xx was answered behind the back of what changed the session
	ReasonHijacked Reason = "connection was taken over"    // a response that is not written through net/http carries no cookie of ours
	ReasonTimedOut Reason = "http.TimeoutHandler answered" // and discards what the handler wrote, the cookie included
	ReasonFinished Reason = "request is over"              // an Update came after it: only Save stores it
)

// failure tells why what the request has changed must not be saved with a response of
// the given status; "" if it may be. A status of 0 is the handler's normal return.
func (x *exchange[T]) failure(code int) Reason {
	switch {
	case code == 0:
		return ""
	case frames.Panicking(x.depth):
		return ReasonPanicked
	case code >= http.StatusInternalServerError && x.abandonedBy(frames.StackWithin(x.depth)):
		return ReasonFailed
	}
	return ""
}

// recoveredLate drops what was changed after the header had left, if a recoverer would
// now write another one.
func (x *exchange[T]) recoveredLate() {
	if !x.gate.Opened() {
		return
	}
	if saves, _ := x.s.outlook(); saves && frames.Panicking(x.depth) {
		x.s.rollBack(x.ctx.Context, ReasonPanicked)
	}
}

// abandonedBy reports whether what changed the session is over when somebody else
// answers with a 5xx: a recoverer that returns an error, for the framework to write the
// page of, leaves nothing else to see of the panic.
func (x *exchange[T]) abandonedBy(stack []string) bool {
	if x.inner.Load() > 0 { // a HandlerFunc that has not returned
		for _, function := range stack {
			if frames.Own(function) && strings.HasSuffix(function, ").nested") {
				return false
			}
		}
		return true
	}
	return x.s.left(stack)
}

// changing takes note of who changes the session. What HandlerFunc serves needs none
// of it: a panic passes through there.
func (s *Session[T]) changing() {
	if s.over {
		s.tooLate()
	}
	if s.traced.Load() {
		s.trace.Take()
	}
}

// left reports whether the function that last changed the session is over, and the
// helpers' callers as well. stack is what runs now.
func (s *Session[T]) left(stack []string) bool {
	s.mu.Lock()
	changed := s.trace.Names()
	s.mu.Unlock()
	return frames.Abandoned(changed, stack)
}

// rollBack drops what the request has changed and not saved. The session is as it was
// when it was last loaded or saved, and whoever recovers may go on with it.
func (s *Session[T]) rollBack(ctx context.Context, reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	if s.state > stateStored || !s.pending() {
		return
	}
	if len(s.updates) > 0 || s.settingsChanged || s.ownerMoved {
		s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: reason}, s.key)
	}
	s.forget()
	if s.ownerMoved {
		s.owner = s.ownerBefore
	}
	if s.loggedIn {
		s.loggedIn, s.authenticated = false, 0
	}
	if s.settingsChanged {
		s.ownCookie = false
		s.settle(s.m.settings(s.r))
	}
	s.touched, s.settingsChanged, s.ownerMoved, s.deferred = false, false, false, false
	if s.state == stateNew {
		s.expires = s.expiry(s.created)
		return
	}
	s.learn(&loaded[T]{rec: store.Record{Expires: s.deadline.Time()}, doc: s.doc})
}

// outlook tells what the end of the request would do: whether something would be saved,
// and whether there is anything to do at all.
func (s *Session[T]) outlook() (saves, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	saves = s.state <= stateStored && (s.pending() || s.m.resave || s.m.saveUninitialized)
	// A failed request is no use of the session either. Only an id that the store has
	// been given already must still reach the client.
	unchanged := s.state == stateStored && s.came() || s.state == stateNew && !s.regenerated
	return saves, s.failed && unchanged && !s.pending()
}
