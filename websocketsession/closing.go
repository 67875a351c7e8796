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

// lostError is why a connection is over of itself: in most cases there is nobody left to
// be told.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// fail makes of the library's error what the caller gets, and ends the handler's
// context.
func (c *Conn) fail(ctx context.Context, err error) error {
	if c.ctx.Err() == nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		c.lose(&lostError{err})
	}
	return context.Cause(c.ctx)
}

// used counts a message as use of the session.
func (c *Conn) used() error {
	if c.ctx.Err() == nil && c.keepAlive != nil && !time.Now().Before(c.later) {
		err := c.keepAlive(c.ctx)
		switch {
		case errors.Is(err, session.ErrRevoked):
			c.lose(err)
		case err != nil:
			// The message counts all the same; the manager has reported the error.
			c.later = time.Now().Add(keepAlivePause)
		}
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// codeOf is how the connection is closed when its context has ended.
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

// codeOfHandler is how it is closed when the handler has returned before, or the
// connection itself has failed.
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

// shut closes the connection and waits until that is done, for the timeout and not much
// longer whatever the client does: the deadline ends a write that is under way and the
// wait for the client's close frame.
func (c *Conn) shut(code websocket.StatusCode, reason string) error {
	if err := c.under.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return errors.Join(err, c.ws.CloseNow())
	}
	return c.ws.Close(code, reason)
}
