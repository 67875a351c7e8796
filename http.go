package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/nestsession/session/internal/exchange"
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
		if x, _ := m.find(r.Context()); x != nil { // inside Handler, which commits at the end
			if s, ok := x.declare(); ok {
				x.Nested(func() { next(w, r, s) })
			}
			return
		}
		x := m.newExchange(w, r)
		x.declared = next
		x.Serve()
	}
}

// declare opens the session for a route that requires one.
func (x *exchangeOf[T]) declare() (*Session[T], bool) {
	err := x.Open(x.Context())
	if errors.Is(err, ErrOutsidePath) {
		x.s.m.logger.ErrorContext(x.Context(), "session: a route uses a session, but Config.Cookie.Path does not cover the route: widen the path, or do not use a session there", "route", x.Request().Pattern)
	}
	if err != nil {
		x.FailWith(err)
	}
	return &x.s, err == nil
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
		if x, _ := m.find(r.Context()); x != nil { // twice in one chain
			x.Nested(func() { next.ServeHTTP(w, r) })
			return
		}
		x := m.newExchange(w, r)
		x.handler = next
		if eager {
			if err := x.Open(x.Context()); err != nil && !errors.Is(err, ErrOutsidePath) {
				x.Finish()
				return
			}
		}
		x.Serve()
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
	if err := x.Open(ctx); err != nil {
		return nil, err
	}
	if !x.s.traced.Load() {
		x.s.traced.Store(true)
	}
	return &x.s, nil
}

// exchangeOf is one request and its response in a manager, with the session and the handler.
// It holds them, the context and the response writer in one allocation.
type exchangeOf[T any] struct {
	exchange.Exchange
	s Session[T]

	handler  http.Handler // one of the two is set
	declared func(http.ResponseWriter, *http.Request, *Session[T])
}

// find returns this manager's exchange in ctx.
func (m *Manager[T]) find(ctx context.Context) (*exchangeOf[T], error) {
	switch l := m.exchanges.Find(ctx); {
	case l == nil:
		return nil, ErrNoHandler
	case l.Session == nil:
		return nil, ErrReentrant
	default:
		return l.Session.(*exchangeOf[T]), nil
	}
}

func (m *Manager[T]) newExchange(w http.ResponseWriter, r *http.Request) *exchangeOf[T] {
	x := new(exchangeOf[T])
	x.s.m = m
	x.Begin(&m.exchanges, x, w, r)
	return x
}

// What follows is for [exchange.Session].

func (x *exchangeOf[T]) Handle(w http.ResponseWriter, r *http.Request) {
	if x.handler != nil {
		x.handler.ServeHTTP(w, r)
	} else if s, ok := x.declare(); ok {
		x.declared(w, r, s)
	}
}

func (x *exchangeOf[T]) Load(ctx context.Context) error {
	err := x.s.m.open(ctx, x.Request(), &x.s)
	if err != nil && !errors.Is(err, ErrOutsidePath) {
		x.FailWith(err)
	}
	if x.Sent() { // then the end of the request does all the work
		x.s.headerSent, x.s.deferred = true, true
	}
	return err
}

func (x *exchangeOf[T]) Commit(ctx context.Context, h http.Header) error {
	return x.s.m.Commit(ctx, &x.s, h)
}

// reasons are the reasons in the events about what an exchange has found.
var reasons = [...]Reason{exchange.Panicked: ReasonPanicked, exchange.Failed: ReasonFailed}

func (x *exchangeOf[T]) RollBack(ctx context.Context, why exchange.Failure) {
	x.s.rollBack(ctx, reasons[why])
}

func (x *exchangeOf[T]) Unsent(ctx context.Context) { x.s.reportUnsent(ctx, ReasonPanicked) }

func (x *exchangeOf[T]) Abandon(ctx context.Context) { x.s.abandon(ctx) }

func (x *exchangeOf[T]) Outlook() (saves, idle bool) { return x.s.outlook() }

func (x *exchangeOf[T]) Unfinished() bool { return x.s.hasMoreToCommit() }

func (x *exchangeOf[T]) Left(stack []string) bool { return x.s.left(stack) }

func (x *exchangeOf[T]) Cookie() (isNew, sent bool) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return x.s.state == stateNew, x.s.cookieSent
}

func (x *exchangeOf[T]) Unsend() { x.s.unsend() }

func (x *exchangeOf[T]) Taken(ctx context.Context) { x.s.taken(ctx) }

func (x *exchangeOf[T]) Close(ctx context.Context, failed bool) { x.s.close(ctx, failed) }
