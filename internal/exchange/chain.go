package exchange

import (
	"context"
	"net/http"

	"github.com/nestsession/session/internal/frames"
)

// Manager is what the exchanges of one session manager have in common. A request may pass
// through several managers. Their exchanges form a chain, and the address of the Manager
// tells them apart.
type Manager struct {
	// ErrorHandler writes the response if the session cannot be loaded or saved.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	reach frames.Reach // of its handlers
}

// Find returns the manager's exchange in the context of a request; nil if it has none.
func (m *Manager) Find(ctx context.Context) *Link {
	l := innermost(ctx)
	for l != nil && l.manager != m {
		l = l.outer
	}
	return l
}

// Lock returns ctx with the manager's session locked. The session is locked while events
// are reported and the store is called. A log handler or a store's tracing that used the
// session there would deadlock.
func (m *Manager) Lock(ctx context.Context) context.Context { return lockedContext{ctx, m} }

// Quiet is Lock if ctx is the context of one of the manager's requests; otherwise it
// returns ctx.
func (m *Manager) Quiet(ctx context.Context) context.Context {
	if m.Find(ctx) == nil {
		return ctx
	}
	return m.Lock(ctx)
}

// Callback returns the request for a callback that runs while the session is locked.
func (m *Manager) Callback(r *http.Request) *http.Request {
	ctx := r.Context()
	if quiet := m.Quiet(ctx); quiet != ctx {
		return r.WithContext(quiet)
	}
	return r
}

// Link is an exchange in the chain of a request's exchanges.
type Link struct {
	Session Session // nil if the session is locked and cannot be used

	manager *Manager
	outer   *Link // the exchange of an outer manager; nil if there is none
	depth   int   // how many of those there are
}

// key is the key of the innermost link in a context.
var key any = new(int)

func innermost(ctx context.Context) *Link {
	l, _ := ctx.Value(key).(*Link)
	return l
}

// linkedContext is a request's context with the exchange in it. Stores and events get the
// context without it, because the session is locked while they are called.
type linkedContext struct {
	context.Context
	Link
}

func (c *linkedContext) Value(k any) any {
	if k == key {
		return &c.Link
	}
	return c.Context.Value(k)
}

// lockedContext is a request's context in which the session cannot be used.
type lockedContext struct {
	context.Context
	manager *Manager
}

func (c lockedContext) Value(k any) any {
	if k != key {
		return c.Context.Value(k)
	}
	l := &Link{manager: c.manager, outer: innermost(c.Context), depth: -1}
	if l.outer != nil {
		l.depth = l.outer.depth
	}
	return l
}
