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
		if x := m.exchange(r.Context()); x != nil { // within Handler, which finishes
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

// serve runs the handler and finishes. A panic goes on to whoever recovers.
func (x *exchange[T]) serve() {
	returned := false
	defer func() { x.end(returned) }()
	frames.Serves[x.depth%len(frames.Serves)](x)
	x.response.finish()
	returned = true
}

// Run is called by one of the functions that mark where an exchange begins.
func (x *exchange[T]) Run() {
	if x.handler != nil {
		x.handler.ServeHTTP(&x.response, x.r)
	} else if s, ok := x.declare(); ok {
		x.declared(&x.response, x.r, s)
	}
}

// nested runs a handler within the exchange. If it panics, what it has changed is
// dropped: whoever recovers from that writes an error page, which saves.
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

// declare opens the session for a route that cannot do without.
func (x *exchange[T]) declare() (*Session[T], bool) {
	s, err := x.session(&x.ctx)
	if errors.Is(err, ErrOutsidePath) {
		x.m.logger.ErrorContext(&x.ctx, "session: a route declares a session that Config.Cookie.Path does not cover: widen the path, or leave the session out", "route", x.r.Pattern)
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

// exchange is one request's way through a manager: its context, its response
// writer and its session, in one allocation.
type exchange[T any] struct {
	m        *Manager[T]
	r        *http.Request // with the context below
	ctx      exchangeContext[T]
	response response[T]
	s        Session[T]
	gate     once.Gate

	handler  http.Handler // what is served: this, or
	declared func(http.ResponseWriter, *http.Request, *Session[T])

	outer chained      // the exchange of another manager farther out, if any
	depth int          // how many of those there are
	inner atomic.Int32 // handlers of HandlerFunc and Handler that run within this one

	// broken is why the response cannot be the handler's. It is answered when that
	// would leave, by the goroutine that writes, whichever found out.
	broken atomic.Pointer[error]
}

func (x *exchange[T]) manager() *core { return &x.m.core }

func (x *exchange[T]) farther() chained { return x.outer }

func (x *exchange[T]) level() int { return x.depth }

func (x *exchange[T]) locked() bool { return false }

// exchangeContext is the request's context with the exchange in it. Stores and
// events get the one without: the session is locked while they are called.
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

// exchange is this manager's exchange that ctx belongs to, nil if there is none.
func (m *Manager[T]) exchange(ctx context.Context) *exchange[T] {
	x, _ := m.find(ctx)
	return x
}

// find is exchange with the reason.
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

// session opens the session, once.
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
	if x.response.sent.Load() { // then all that is to be done for it is done at the end
		x.s.headerSent, x.s.deferred = true, true
	}
	return err
}

func (x *exchange[T]) failWith(err error) { x.broken.Store(&err) }

// commit saves the session if it was opened, unless the handler has failed. h is nil
// when the headers are sent, code the status that is about to; 0 for a normal return.
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

// end is the exchange's end, however the handler ended: by returning, by a panic, or by
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
	if !x.response.hijacked { // else the connection goes on, and saves by itself
		x.s.close(ctx, x.response.failed)
	}
}

// timedOut reports whether http.TimeoutHandler, farther out, has answered in place of
// the handler: it discards the header that the session's cookie is in.
func (w *response[T]) timedOut() bool {
	if w.x.ctx.Err() == nil {
		return false
	}
	bottom := bottomOf(w.w)
	if fmt.Sprintf("%T", bottom) != "*http.timeoutWriter" { // writing nothing is harmless to this one
		return false
	}
	_, err := bottom.Write(nil)
	return errors.Is(err, http.ErrHandlerTimeout)
}

// bottomOf follows Unwrap to the writer that wraps no other.
func bottomOf(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
