package websocketsession

import (
	"context"
	"errors"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
)

var (
	errDone     = errors.New("websocketsession: the connection is closed")
	errPanicked = errors.New("websocketsession: the handler panicked")
)

// lostError is why the connection itself has failed. In most cases no client is left to
// receive a reason.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// fail ends the handler's context, and returns the caller's error for the library's error.
func (c *Conn) fail(ctx context.Context, err error) error {
	if c.ctx.Err() == nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		c.lose(&lostError{err})
	}
	return context.Cause(c.ctx)
}

// used counts a message as a use of the session.
func (c *Conn) used() error {
	if c.ctx.Err() == nil && c.keepAlive != nil && !time.Now().Before(c.keepAliveAfter) {
		err := c.keepAlive(c.ctx)
		switch {
		case errors.Is(err, session.ErrRevoked):
			c.lose(err)
		case err != nil:
			// The caller gets the message anyway; the manager has reported the error.
			c.keepAliveAfter = time.Now().Add(keepAlivePause)
		}
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// codeOf returns the code and reason for a connection whose context has ended.
func (c *Conn) codeOf(cause error) (websocket.StatusCode, string) {
	lost := (*lostError)(nil)
	switch {
	case errors.Is(cause, session.ErrRevoked), errors.As(cause, &lost), cause == errDone:
		return codeOfHandler(cause)
	case errors.Is(cause, session.ErrClosed), c.request.Err() != nil:
		return websocket.StatusGoingAway, ReasonGoingAway
	}
	return websocket.StatusTryAgainLater, ReasonUnknown
}

// codeOfHandler returns them for a handler that has returned first, or a connection that has
// failed.
func codeOfHandler(err error) (websocket.StatusCode, string) {
	switch {
	case err == nil:
		return websocket.StatusNormalClosure, ""
	case errors.Is(err, session.ErrExpired):
		return websocket.StatusPolicyViolation, ReasonExpired
	case errors.Is(err, session.ErrRevoked):
		return websocket.StatusPolicyViolation, ReasonLoggedOut
	}
	return websocket.StatusInternalError, ReasonInternal
}

// shut closes the connection and waits until it is closed. A client can delay that by little
// more than the timeout: the deadline ends a write under way, and the wait for the client's
// close frame.
func (c *Conn) shut(code websocket.StatusCode, reason string) error {
	if err := c.net.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return errors.Join(err, c.ws.CloseNow())
	}
	return c.ws.Close(code, reason)
}
