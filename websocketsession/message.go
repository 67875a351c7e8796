package websocketsession

import (
	"context"
	"io"
)

// detach returns a context for a call of the library, which cuts the connection when
// that ends. So it ends when the caller gives up, but not when the session has ended:
// then the connection is closed with a code and the reason. done is called when the
// call is over.
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

// writer is a message that is being written. What the library has not sent of it when the
// close frame is due it does not send any more.
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
