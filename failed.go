package session

import (
	"context"
	"net/http"
	"runtime"
	"strings"

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
	case panicking(x.depth):
		return ReasonPanicked
	case code >= http.StatusInternalServerError && x.abandonedBy(stackWithin(x.depth)):
		return ReasonFailed
	}
	return ""
}

// recoveredLate drops what was changed after the header had left, if a recoverer would
// now write another one.
func (x *exchange[T]) recoveredLate() {
	if !x.gate.passed() {
		return
	}
	if saves, _ := x.s.outlook(); saves && panicking(x.depth) {
		x.s.rollBack(x.ctx.Context, ReasonPanicked)
	}
}

// abandonedBy reports whether what changed the session is over when somebody else
// answers with a 5xx: a recoverer that returns an error, for the framework to write the
// page of, leaves nothing else to see of the panic.
func (x *exchange[T]) abandonedBy(stack []string) bool {
	if x.inner.Load() > 0 { // a HandlerFunc that has not returned
		for _, function := range stack {
			if own(function) && strings.HasSuffix(function, ").nested") {
				return false
			}
		}
		return true
	}
	return x.s.left(stack)
}

// traceDepth bounds how many callers of a change are remembered: a handler and the
// helpers through which it changes the session.
const traceDepth = 6

// trace is who changed a session last.
type trace struct {
	callers [traceDepth]uintptr
	n       int
}

// changing takes note of who changes the session. What HandlerFunc serves needs none
// of it: a panic passes through there.
func (s *Session[T]) changing() {
	if s.over {
		s.tooLate()
	}
	if s.traced.Load() {
		s.trace.n = runtime.Callers(2, s.trace.callers[:])
	}
}

// left reports whether the function that last changed the session is over, and the
// helpers' callers as well. stack is what runs now.
func (s *Session[T]) left(stack []string) bool {
	s.mu.Lock()
	changed := names(s.trace.callers[:s.trace.n])
	s.mu.Unlock()
	running := make(map[string]bool, len(stack))
	for _, function := range stack {
		running[function] = true
	}
	first := ""
	for _, function := range changed {
		if own(function) {
			continue // Update and its like
		}
		if first != "" && (strings.HasSuffix(function, ".ServeHTTP") || strings.HasPrefix(function, "net/http.")) {
			return true // what calls handlers runs often, and says nothing of this one
		}
		for name := function; name != ""; name = outerFunction(name) {
			if running[name] {
				return false
			}
		}
		if first != "" && (outerFunction(function) != "" || !sameModule(function, first)) {
			return true // middleware, or the framework: farther out is not the handler
		}
		if first == "" {
			first = function
		}
	}
	return first != ""
}

// outerFunction is the function in which a function literal, or the body of a range over
// a function, stands; "" if it is none.
func outerFunction(name string) string {
	i := strings.LastIndexAny(name, ".-")
	if i < 0 {
		return ""
	}
	last := strings.TrimPrefix(strings.TrimPrefix(name[i+1:], "func"), "range")
	if last == "" || strings.Trim(last, "0123456789") != "" {
		return ""
	}
	return name[:i]
}

// sameModule reports whether two functions are probably one application's.
func sameModule(a, b string) bool {
	a, b = module(a), module(b)
	return a == b || a == "main" || b == "main"
}

// module is the path of a function's module, as far as its name tells.
func module(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	parts := strings.Split(function[:slash]+name, "/")
	if !strings.Contains(parts[0], ".") {
		return parts[0]
	}
	return strings.Join(parts[:min(len(parts), 3)], "/") // host, owner, repository
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
