package websocketsession

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Conn is a WebSocket that lasts as long as its session. An error of any method but Close means
// that the connection has ended. If the session has ended, the error is the [context.Cause]
// of the handler's context. The methods may be called from several goroutines, but Read and
// Reader from one at a time.
//
// As with the library, the connection ends if the context given to a method ends during the
// call. With the handler's context, or one derived from it, a connection whose session ends is
// still closed with a code and a reason.
type Conn struct {
	ws      *websocket.Conn
	net     net.Conn
	timeout time.Duration

	ctx     context.Context         // ends with the session and with the connection
	bare    context.Context         // has the values of ctx, but does not end
	request context.Context         // ctx is derived from it
	lose    context.CancelCauseFunc // ends ctx

	keepAlive      func(context.Context) error // nil: messages are no use of the session
	keepAliveAfter time.Time                   // a pause after the store has failed

	readers sync.WaitGroup // of CloseRead
	reads   sync.Once
}

// Subprotocol returns the one of AcceptOptions.Subprotocols that was negotiated; "" for none.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// SetReadLimit limits the size of a message that is read, in bytes. A larger one closes the
// connection with 1009. Default: 32,768. Negative: no limit.
func (c *Conn) SetReadLimit(n int64) { c.ws.SetReadLimit(n) }

// Read reads the next message. That counts as a use of the session, unless Options.NoKeepAlive
// is set. Read does not return a message that arrives after the session has ended. A handler
// has to call Read or CloseRead, so that control frames such as pings are answered.
func (c *Conn) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, r, err := c.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	message, err := io.ReadAll(r)
	return kind, message, err
}

// Reader is Read for a message that is read in pieces. The message has to be read to its end.
func (c *Conn) Reader(ctx context.Context) (websocket.MessageType, io.Reader, error) {
	if c.ctx.Err() != nil {
		return 0, nil, context.Cause(c.ctx)
	}
	d, done := c.detach(ctx)
	kind, r, err := c.ws.Reader(d)
	if err != nil {
		err = c.fail(ctx, err)
	} else {
		err = c.used()
	}
	if err != nil {
		done()
		return 0, nil, err
	}
	return kind, &reader{c: c, ctx: ctx, r: r, done: done}, nil
}

// CloseRead is for handlers that only write: it reads in a goroutine, so that pings and
// the client's close are answered and end ctx. A message from the client closes the
// connection with 1003.
func (c *Conn) CloseRead() {
	c.reads.Do(func() {
		c.readers.Go(func() {
			if _, _, err := c.Reader(c.ctx); err == nil {
				_ = c.Close(websocket.StatusUnsupportedData, "no messages are read here")
			}
		})
	})
}

// Write writes a message. When the session has ended it writes nothing.
func (c *Conn) Write(ctx context.Context, kind websocket.MessageType, message []byte) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	d, done := c.detach(ctx)
	defer done()
	if err := c.ws.Write(d, kind, message); err != nil {
		return c.fail(ctx, err)
	}
	return nil
}

// Writer is Write for a message that is written in pieces. Closing the writer completes the
// message; other messages wait until then. A message that is incomplete when the session ends
// stays so.
func (c *Conn) Writer(ctx context.Context, kind websocket.MessageType) (io.WriteCloser, error) {
	if c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	d, done := c.detach(ctx)
	w, err := c.ws.Writer(d, kind)
	if err != nil {
		done()
		return nil, c.fail(ctx, err)
	}
	return &writer{c: c, ctx: ctx, w: w, done: done}, nil
}

// Ping sends a ping and waits for the pong. Another goroutine has to call Read or CloseRead
// meanwhile. A browser answers without its page, so a pong is no use of the session.
func (c *Conn) Ping(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	d, done := c.detach(ctx)
	defer done()
	if err := c.ws.Ping(d); err != nil {
		return c.fail(ctx, err)
	}
	return nil
}

// Close closes the connection with a code and a reason of at most 123 bytes. Codes 4000 to 4999
// are for applications. Close ends the handler's context. It does nothing if the connection
// is closed already.
func (c *Conn) Close(code websocket.StatusCode, reason string) error {
	defer c.lose(errDone)
	if c.ctx.Err() != nil {
		return nil
	}
	return c.shut(code, reason)
}
