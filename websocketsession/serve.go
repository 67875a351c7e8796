package websocketsession

import (
	"context"
	"errors"
	"net/http"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
)

// Serve accepts a WebSocket and calls handle with it. The connection lasts until handle returns,
// the client closes it, or the session ends on any node. If the session ends, ctx ends, no
// Write succeeds any more, and the connection is closed with
// [websocket.StatusPolicyViolation] (1008) and [ReasonLoggedOut] or [ReasonExpired]. handle
// has to return when ctx ends; the next call of a method of c then returns an error. If the
// connection is still open when handle returns, it is closed with 1000 for nil and with 1011
// for an error.
//
// The context also ends with the request's. [http.Server.Shutdown] does not close WebSockets:
// register [session.Manager.Close] with RegisterOnShutdown, and they are closed with 1001.
//
// A client whose session has ended, or is not stored yet ([session.Session.Save]), gets 401. The
// library answers a request that is no WebSocket's, or comes from another origin.
//
// Serve returns why the connection ended: nil if handle returned nil or the client closed
// normally (1000, 1001, no code); an error that is [session.ErrRevoked] (or one that is more
// precise, see [session.Session.NotifyContext]), [session.ErrClosed],
// [session.ErrNotSaved], [ErrOptions]; else the error of handle or of the library. The client
// has been answered in any case.
func Serve[T any](w http.ResponseWriter, r *http.Request, s *session.Session[T], o Options, handle func(ctx context.Context, c *Conn) error) error {
	accept, err := o.withDefaults()
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return err
	}
	parent, lose := context.WithCancelCause(r.Context())
	defer lose(nil)
	ctx, stop := s.NotifyContext(parent)
	defer stop()
	if ctx.Err() != nil {
		return refuse(w, r, context.Cause(ctx))
	}
	h := &hijacker{ResponseWriter: w}
	if !h.canHijack() {
		http.Error(w, http.StatusText(http.StatusNotImplemented), http.StatusNotImplemented)
		return errCannotHijack
	}
	ws, err := websocket.Accept(h, r, accept)
	if err != nil {
		return err
	}
	c := &Conn{
		ws: ws, net: h.conn, timeout: o.CloseTimeout,
		ctx: ctx, bare: context.WithoutCancel(ctx), request: r.Context(), lose: lose,
	}
	if !o.NoKeepAlive {
		c.keepAlive = s.KeepAlive
	}
	return c.run(handle)
}

var errCannotHijack = errors.New("websocketsession: the connection cannot be taken over: some middleware hides it, or it is HTTP/2's")

// refuse answers a request for a connection that would end at once.
func refuse(w http.ResponseWriter, r *http.Request, cause error) error {
	switch {
	case r.Context().Err() != nil:
	case errors.Is(cause, session.ErrRevoked), errors.Is(cause, session.ErrNotSaved):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not logged in", http.StatusUnauthorized)
	default:
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
	}
	return cause
}

// run serves the connection. It returns when the connection is closed and no goroutine uses it
// any more.
func (c *Conn) run(handle func(context.Context, *Conn) error) error {
	ended := make(chan struct{})
	unhook := context.AfterFunc(c.ctx, func() {
		defer close(ended)
		c.shut(c.codeOf(context.Cause(c.ctx)))
	})
	err := errPanicked
	defer func() {
		if unhook() {
			c.lose(errDone) // later writes fail
			c.shut(codeOfHandler(err))
		} else {
			<-ended
		}
		c.readers.Wait()
	}()
	err = handle(c.ctx, c)
	cause := context.Cause(c.ctx)
	if cause == nil || cause == errDone {
		return err
	}
	if lost := (*lostError)(nil); errors.As(cause, &lost) {
		switch websocket.CloseStatus(lost.err) {
		case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
			return nil
		}
		return err
	}
	return cause
}
