// Package exchange runs one request and its response: the handler, what follows if the
// handler panics, and the response writer, which commits the session before the headers are
// sent. It knows net/http, and of a session only what [Session] says.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/once"
)

// Session is the session of an exchange, and the handler. Each ctx is the request's context
// without the exchange. All methods but Handle and Load are called only after Load has
// returned no error.
type Session interface {
	// Handle runs the handler.
	Handle(w http.ResponseWriter, r *http.Request)
	// Load loads the session. It is called once.
	Load(ctx context.Context) error

	// Outlook reports whether Commit would save something, and whether it would do nothing
	// at all.
	Outlook() (saves, idle bool)
	// Commit saves the session and adds its cookies to h, which is nil if the headers are
	// already sent.
	Commit(ctx context.Context, h http.Header) error
	// Unfinished reports whether work is left after the headers are sent.
	Unfinished() bool
	// RollBack drops the unsaved changes.
	RollBack(ctx context.Context, why Failure)
	// Left reports whether the function that last changed the session has returned. stack
	// names the functions that run now.
	Left(stack []string) bool

	// Cookie reports whether the session is not stored yet, and whether the response has
	// its cookie.
	Cookie() (isNew, sent bool)
	// Unsend says that the headers that Commit got are not sent after all.
	Unsend()
	// Taken says that the connection was taken over, so that no cookie is sent.
	Taken(ctx context.Context)

	// Unsent says that the handler has panicked, so that the client may not have got its
	// cookie.
	Unsent(ctx context.Context)
	// Abandon says that the client has got another response, without the cookie.
	Abandon(ctx context.Context)
	// Close says that the request is over. failed means that the client got the error
	// response.
	Close(ctx context.Context, failed bool)
}

// Failure is why the handler's changes are not saved.
type Failure uint8

const (
	Panicked Failure = iota // even if a handler recovered
	Failed                  // the handler that changed the session has ended, and other code responds with a 5xx
)

// Exchange is one request and its response in a manager. It is a part of the struct that
// is its Session, so that both are one allocation.
type Exchange struct {
	ctx      linkedContext
	r        *http.Request // with that context
	response response
	once     once.Gate
	inner    atomic.Int32 // handlers that run within this one, see Nested

	// broken is the error that prevents the handler's response. Any goroutine may set it.
	// The goroutine that writes the response sends the error response instead.
	broken atomic.Pointer[error]
}

// Begin begins an exchange with the session s, which contains x.
func (x *Exchange) Begin(m *Manager, s Session, w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	x.ctx = linkedContext{ctx, Link{Session: s, manager: m, outer: innermost(ctx)}}
	if x.ctx.outer != nil {
		x.ctx.depth = x.ctx.outer.depth + 1
	}
	x.r = r.WithContext(&x.ctx)
	x.response.begin(w, x)
}

// Context returns the context of the request, with the exchange in it.
func (x *Exchange) Context() context.Context { return &x.ctx }

// Request returns the request.
func (x *Exchange) Request() *http.Request { return x.r }

// Sent reports whether the headers are sent, or the connection was taken over.
func (x *Exchange) Sent() bool { return x.response.sent.Load() }

// FailWith makes the client get the error response.
func (x *Exchange) FailWith(err error) { x.broken.Store(&err) }

// Open loads the session if no one has called Open yet, and returns the error of that.
func (x *Exchange) Open(ctx context.Context) error {
	return x.once.Do(func() error {
		if ctx == context.Context(&x.ctx) {
			return x.ctx.Session.Load(x.ctx.Context)
		}
		return x.ctx.Session.Load(x.ctx.manager.Lock(ctx))
	})
}

// Serve runs the handler and then commits. It does not recover from panics.
func (x *Exchange) Serve() {
	returned := false
	defer func() { x.end(returned) }()
	frames.Serves[x.ctx.depth%len(frames.Serves)](x.ctx.Session, &x.response, x.r)
	x.Finish()
	returned = true
}

// Finish commits when the handler has returned.
func (x *Exchange) Finish() { x.response.finish() }

// Nested runs a handler inside the exchange. If the handler panics, its changes are
// dropped: code that recovers will write an error page, and writing it saves the session.
func (x *Exchange) Nested(handle func()) {
	returned := false
	x.inner.Add(1)
	defer func() {
		x.inner.Add(-1)
		if !returned && x.once.Opened() {
			x.rollBack(Panicked)
		}
	}()
	handle()
	returned = true
}

func (x *Exchange) rollBack(why Failure) { x.ctx.Session.RollBack(x.ctx.Context, why) }

// commit saves the session if it was opened, unless the handler has failed. h is nil if the
// headers are already sent. code is the status to be sent; 0 if the handler returned
// normally.
func (x *Exchange) commit(h http.Header, code int) error {
	if !x.once.Opened() {
		return nil
	}
	saves, idle := x.ctx.Session.Outlook()
	if saves && code >= http.StatusInternalServerError && x.abandonedBy(frames.StackWithin(x.ctx.depth)) {
		x.rollBack(Failed)
		_, idle = x.ctx.Session.Outlook()
	}
	if idle {
		return nil
	}
	return x.ctx.Session.Commit(x.ctx.Context, h)
}

// unsaved reports whether the session has changes.
func (x *Exchange) unsaved() bool {
	if !x.once.Opened() {
		return false
	}
	saves, _ := x.ctx.Session.Outlook()
	return saves
}

// recovered drops the changes if a handler that recovers from a panic is now writing a
// response.
func (x *Exchange) recovered() {
	if x.unsaved() && x.ctx.manager.reach.Panicking(x.ctx.depth) {
		x.rollBack(Panicked)
	}
}

// abandonedBy reports whether the handler that changed the session has ended, and other
// code responds with a 5xx. This is how a panic looks when a handler recovers and returns
// an error, and the framework then writes the error page.
func (x *Exchange) abandonedBy(stack []string) bool {
	if x.inner.Load() > 0 { // a HandlerFunc that has not returned
		for _, function := range stack {
			if frames.Own(function) && strings.HasSuffix(function, ").Nested") {
				return false
			}
		}
		return true
	}
	return x.ctx.Session.Left(stack)
}

// end runs at the end of the exchange, even if the handler panicked or called
// runtime.Goexit.
func (x *Exchange) end(returned bool) {
	if !x.once.Opened() {
		return
	}
	ctx, s := x.ctx.Context, x.ctx.Session
	if !returned {
		x.rollBack(Panicked)
		s.Unsent(ctx)
	} else if x.response.timedOut() {
		s.Abandon(ctx)
	}
	if !x.response.hijacked { // otherwise the connection goes on and saves for itself
		s.Close(ctx, x.response.failed)
	}
}

// timedOut reports whether an outer http.TimeoutHandler has responded instead of the
// handler. It discards the header that contains the session's cookie.
func (w *response) timedOut() bool {
	if w.x.ctx.Err() == nil {
		return false
	}
	bottom := beneath(w.w, nil)
	if fmt.Sprintf("%T", bottom) != "*http.timeoutWriter" { // for a timeoutWriter, an empty Write is harmless
		return false
	}
	_, err := bottom.Write(nil)
	return errors.Is(err, http.ErrHandlerTimeout)
}

// beneath follows Unwrap to the first writer that is wanted, or else to the innermost one.
func beneath(w http.ResponseWriter, wanted func(http.ResponseWriter) bool) http.ResponseWriter {
	for wanted == nil || !wanted(w) {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	return w
}
