package websocketsession

import (
	"context"
	"io"
)

// detach returns a context for a call of the library, which cuts the connection when that
// context ends. The context ends when the caller cancels, but not when the session ends: then
// the connection is closed with a code and the reason. The caller calls done after the call.
func (c *Conn) detach(ctx context.Context) (d context.Context, done func()) {
	if ctx == c.ctx || ctx.Done() == nil {
		return c.bare, func() {}
	}
	d, cancel := context.WithCancel(c.bare)
	stop := context.AfterFunc(ctx, func() {
		if c.ctx.Err() == nil && c.request.Err() == nil {
			cancel()
		}
	})
	return d, func() { stop(); cancel() }
}

// reader is a message that is being read.
type reader struct {
	c    *Conn
	ctx  context.Context
	r    io.Reader
	done func()
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err == nil {
		return n, nil
	}
	defer r.done()
	if err != io.EOF {
		err = r.c.fail(r.ctx, err)
	} else if r.c.ctx.Err() != nil {
		err = context.Cause(r.c.ctx)
	}
	return n, err
}

// writer is a message that is being written. The library does not send the rest of it after the
// close frame.
type writer struct {
	c      *Conn
	ctx    context.Context
	w      io.WriteCloser
	done   func()
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.c.ctx.Err() != nil {
		return 0, context.Cause(w.c.ctx)
	}
	n, err := w.w.Write(p)
	if err != nil {
		err = w.c.fail(w.ctx, err)
	}
	return n, err
}

func (w *writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	defer w.done()
	if w.c.ctx.Err() != nil {
		return context.Cause(w.c.ctx)
	}
	if err := w.w.Close(); err != nil {
		return w.c.fail(w.ctx, err)
	}
	return nil
}
