package fibersession

import (
	"bufio"
	"context"
	"errors"

	"github.com/gofiber/fiber/v3"

	"github.com/nestsession/session"
)

// ErrNoSession means that the request did not pass through [New] or [Handler] of the session's
// manager.
var ErrNoSession = errors.New("fibersession: no New or Handler of this session's type in the request's chain")

// Stream is Fiber's SendStreamWriter for a stream that ends with the session. handle runs after
// the handler has returned and the session is saved; it does not run if the handler fails. ctx
// ends when the session ends on any node, and when a write shows that the client has
// disconnected: fasthttp does not notice that before, so a stream that may be silent for long
// writes something from time to time. When ctx has ended, no write to w succeeds, and handle has
// to return. [context.Cause] says why, see [session.Session.NotifyContext].
//
// What handle changes in the session is saved when it returns, or by [session.Session.Save].
// An open stream does not count as use of the session: call [session.Session.KeepAlive] when
// something shows that the user is present. handle must not use c. If handle panics the program
// ends, as with SendStreamWriter.
//
// A client whose session has ended, or is not stored yet ([session.Session.Save]), gets 401: return
// the error of Stream. Fiber's WriteTimeout ends a stream after that time.
func Stream[T any](c fiber.Ctx, s *session.Session[T], handle func(ctx context.Context, w *bufio.Writer)) error {
	x, _ := c.Locals(key[T]{}).(*exchange[T])
	for x != nil && x.s != s {
		x = x.outer
	}
	if x == nil {
		return &failure{fiber.ErrInternalServerError, ErrNoSession}
	}
	parent, lose := context.WithCancelCause(c.Context())
	ctx, stop := s.NotifyContext(parent)
	if cause := context.Cause(ctx); cause != nil || c.Method() == fiber.MethodHead {
		stop()
		lose(nil)
		return refusal(cause)
	}
	begun := make(chan bool, 1)
	x.begun = append(x.begun, begun)
	return c.SendStreamWriter(func(w *bufio.Writer) {
		defer lose(nil)
		defer stop()
		if !<-begun {
			return
		}
		out := bufio.NewWriter(&writer{ctx, lose, w})
		handle(ctx, out)
		_ = out.Flush()                                       // fails if the session has ended, or the client has disconnected
		_ = x.m.Commit(context.WithoutCancel(parent), s, nil) // an event reports an error
	})
}

// refusal is the error for a stream that would end at once; nil if cause is.
func refusal(cause error) error {
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, session.ErrRevoked), errors.Is(cause, session.ErrNotSaved):
		return &failure{fiber.ErrUnauthorized, cause}
	}
	return &failure{fiber.ErrServiceUnavailable, cause}
}

// writer sends what is written at once, while the session lives.
type writer struct {
	ctx  context.Context
	lose context.CancelCauseFunc
	to   *bufio.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.to.Write(p)
	if err == nil {
		err = w.to.Flush()
	}
	if err != nil {
		w.lose(err)
	}
	return n, err
}
