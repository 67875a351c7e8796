package session

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

// HandlerFunc returns a handler that calls next with the request's session. The session is
// loaded before next runs, and saved before the first byte of the response is sent. If the
// store fails, next does not run and the client gets the error response. If next panics,
// its changes are not saved, even if another handler recovers.
//
// Routes without HandlerFunc do not use the store. Within next, [Manager.From] finds the
// same session in the request's context.
func (m *Manager[T]) HandlerFunc(next func(http.ResponseWriter, *http.Request, *Session[T])) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if x := m.exchange(r.Context()); x != nil { // inside Handler, which commits at the end
			if s, ok := x.declare(); ok {
				x.nested(func() { next(w, r, s) })
			}
			return
		}
		x := m.newExchange(w, r)
		x.declared = next
		x.serve()
	}
}

// serve runs the handler and then commits. It does not recover from panics.
func (x *exchange[T]) serve() {
	returned := false
	defer func() { x.end(returned) }()
	frames.Serves[x.depth%len(frames.Serves)](x)
	x.response.finish()
	returned = true
}

// Run runs the handler. A function that marks where an exchange begins calls it.
func (x *exchange[T]) Run() {
	if x.handler != nil {
		x.handler.ServeHTTP(&x.response, x.r)
	} else if s, ok := x.declare(); ok {
		x.declared(&x.response, x.r, s)
	}
}

// nested runs a handler inside the exchange. If the handler panics, its changes are
// dropped: code that recovers will write an error page, and writing it saves the session.
func (x *exchange[T]) nested(handle func()) {
	returned := false
	x.inner.Add(1)
	defer func() {
		x.inner.Add(-1)
		if !returned && x.gate.Opened() {
			x.s.rollBack(x.ctx.Context, ReasonPanicked)
		}
	}()
	handle()
	returned = true
}

// declare opens the session for a route that requires one.
func (x *exchange[T]) declare() (*Session[T], bool) {
	s, err := x.session(&x.ctx)
	if errors.Is(err, ErrOutsidePath) {
		x.m.logger.ErrorContext(&x.ctx, "session: a route uses a session, but Config.Cookie.Path does not cover the route: widen the path, or do not use a session there", "route", x.r.Pattern)
	}
	if err != nil {
		x.failWith(err)
	}
	return s, err == nil
}

// Handler returns middleware that gives next's requests a session. Handlers get it with
// [Manager.From] or [Manager.Load]. The first call loads it, so a route that calls neither
// does not use the store. With Config.Rolling, Express.Resave or Express.SaveUninitialized,
// every request loads it. The changes of a handler that panics are not saved. Put Handler
// inside the middleware that recovers from panics, so that it sees every panic. It may be
// in the chain more than once.
func (m *Manager[T]) Handler(next http.Handler) http.Handler {
	eager := m.rolling || m.resave || m.saveUninitialized
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := m.exchange(r.Context()); x != nil { // twice in one chain
			x.nested(func() { next.ServeHTTP(w, r) })
			return
		}
		x := m.newExchange(w, r)
		x.handler = next
		if eager {
			if _, err := x.session(&x.ctx); err != nil && !errors.Is(err, ErrOutsidePath) {
				x.response.finish()
				return
			}
		}
		x.serve()
	})
}

// From returns the session of the request to which ctx belongs. The first call loads it,
// within ctx. It returns false if the request did not pass through this manager's Handler
// or HandlerFunc, if the request's path is outside Cookie.Path, or if the store failed. If
// the store failed, the client gets the error response whatever the handler writes, and
// never an anonymous visitor's page.
func (m *Manager[T]) From(ctx context.Context) (*Session[T], bool) {
	s, err := m.Load(ctx)
	return s, err == nil
}

// Load is [Manager.From] with an error in place of false: [ErrNoHandler], [ErrOutsidePath],
// [ErrReentrant], or the store's error.
func (m *Manager[T]) Load(ctx context.Context) (*Session[T], error) {
	x, err := m.find(ctx)
	if err != nil {
		return nil, err
	}
	s, err := x.session(ctx)
	if err == nil && !s.traced.Load() {
		s.traced.Store(true)
	}
	return s, err
}

// exchange is one request and its response in a manager. It holds the context, the response
// writer and the session in one allocation.
type exchange[T any] struct {
	m        *Manager[T]
	r        *http.Request // with the context below
	ctx      exchangeContext[T]
	response response[T]
	s        Session[T]
	gate     once.Gate

	handler  http.Handler // one of the two is set
	declared func(http.ResponseWriter, *http.Request, *Session[T])

	outer chained      // the exchange of an outer manager, if any
	depth int          // how many of those there are
	inner atomic.Int32 // handlers of HandlerFunc and Handler that run within this one

	// broken is the error that prevents the handler's response. Any goroutine may set it.
	// The goroutine that writes the response sends the error response instead.
	broken atomic.Pointer[error]
}

func (x *exchange[T]) manager() *core { return &x.m.core }

func (x *exchange[T]) farther() chained { return x.outer }

func (x *exchange[T]) level() int { return x.depth }

func (x *exchange[T]) locked() bool { return false }

// exchangeContext is the request's context with the exchange in it. Stores and events get
// the context without it, because the session is locked while they are called.
type exchangeContext[T any] struct {
	context.Context
	x *exchange[T]
}

func (c *exchangeContext[T]) Value(key any) any {
	if key == chainKey {
		return c.x
	}
	return c.Context.Value(key)
}

// exchange returns this manager's exchange in ctx, or nil.
func (m *Manager[T]) exchange(ctx context.Context) *exchange[T] {
	x, _ := m.find(ctx)
	return x
}

// find is exchange with an error in place of nil.
func (m *Manager[T]) find(ctx context.Context) (*exchange[T], error) {
	next, _ := ctx.Value(chainKey).(chained)
	for ; next != nil; next = next.farther() {
		if next.manager() != &m.core {
			continue
		}
		if next.locked() {
			return nil, ErrReentrant
		}
		return next.(*exchange[T]), nil
	}
	return nil, ErrNoHandler
}

func (m *Manager[T]) newExchange(w http.ResponseWriter, r *http.Request) *exchange[T] {
	x := &exchange[T]{m: m}
	if outer, ok := r.Context().Value(chainKey).(chained); ok {
		x.outer, x.depth = outer, outer.level()+1
	}
	x.ctx = exchangeContext[T]{r.Context(), x}
	x.r = r.WithContext(&x.ctx)
	x.response.begin(w, x)
	return x
}

// session opens the session once.
func (x *exchange[T]) session(ctx context.Context) (*Session[T], error) {
	err := x.gate.Do(func() error { return x.open(ctx) })
	if err == nil {
		return &x.s, nil
	}
	if !errors.Is(err, ErrOutsidePath) {
		x.failWith(err)
	}
	return nil, err
}

func (x *exchange[T]) open(ctx context.Context) error {
	if ctx == context.Context(&x.ctx) {
		ctx = x.ctx.Context
	} else {
		ctx = quietContext{ctx, &x.m.core}
	}
	err := x.m.open(ctx, x.r, &x.s)
	if x.response.sent.Load() { // then the end of the request does all the work
		x.s.headerSent, x.s.deferred = true, true
	}
	return err
}

func (x *exchange[T]) failWith(err error) { x.broken.Store(&err) }

// commit saves the session if it was opened, unless the handler has failed. h is nil if the
// headers are already sent. code is the status to be sent; 0 if the handler returned
// normally.
func (x *exchange[T]) commit(h http.Header, code int) error {
	if !x.gate.Opened() {
		return nil
	}
	saves, idle := x.s.outlook()
	if saves {
		if reason := x.failure(code); reason != "" {
			x.s.rollBack(x.ctx.Context, reason)
			_, idle = x.s.outlook()
		}
	}
	if idle {
		return nil
	}
	return x.m.Commit(x.ctx.Context, &x.s, h)
}

// failure returns the reason for which the request's changes must not be saved with a
// response of the given status; "" if they may be. A code of 0 means that the handler
// returned normally.
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

// recoveredLate drops the changes since the headers were sent, if a handler that recovers
// from a panic is now writing another response.
func (x *exchange[T]) recoveredLate() {
	if !x.gate.Opened() {
		return
	}
	if saves, _ := x.s.outlook(); saves && frames.Panicking(x.depth) {
		x.s.rollBack(x.ctx.Context, ReasonPanicked)
	}
}

// abandonedBy reports whether the handler that changed the session has ended, and other
// code responds with a 5xx. This is how a panic looks when a handler recovers and returns
// an error, and the framework then writes the error page.
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

// end runs at the end of the exchange, even if the handler panicked or called
// runtime.Goexit.
func (x *exchange[T]) end(returned bool) {
	if !x.gate.Opened() {
		return
	}
	ctx := x.ctx.Context
	if !returned {
		x.s.rollBack(ctx, ReasonPanicked)
		x.s.reportUnsent(ctx, ReasonPanicked)
	} else if x.response.timedOut() {
		x.s.abandon(ctx)
	}
	if !x.response.hijacked { // otherwise the connection goes on and saves for itself
		x.s.close(ctx, x.response.failed)
	}
}

// timedOut reports whether an outer http.TimeoutHandler has responded instead of the
// handler. It discards the header that contains the session's cookie.
func (w *response[T]) timedOut() bool {
	if w.x.ctx.Err() == nil {
		return false
	}
	bottom := bottomOf(w.w)
	if fmt.Sprintf("%T", bottom) != "*http.timeoutWriter" { // for a timeoutWriter, an empty Write is harmless
		return false
	}
	_, err := bottom.Write(nil)
	return errors.Is(err, http.ErrHandlerTimeout)
}

// bottomOf follows Unwrap to the innermost writer.
func bottomOf(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
