package websocketsession

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Conn is a WebSocket that lasts as long as its session. After an error of any method
// but Close the connection is over; when the session has ended, the error is the cause
// that [context.Cause] has for the handler's context. The methods may be called from
// several goroutines, but Read and Reader from one at a time.
//
// A context given to a method ends the connection if it ends while the method works, as
// with the library. That of the handler, or one made from it, leaves it the time to say
// why when the session has ended.
type Conn struct {
	ws      *websocket.Conn
	under   net.Conn
	timeout time.Duration

	ctx     context.Context         // ends with the session, and with the connection
	bare    context.Context         // the same, but does not end
	request context.Context         // what ctx was made from
	lose    context.CancelCauseFunc // ends ctx

	keepAlive func(context.Context) error // nil: messages are no use of the session
	later     time.Time                   // not before: the store has failed

	readers sync.WaitGroup // of CloseRead
	reads   sync.Once
}

// Subprotocol returns what was agreed on of AcceptOptions.Subprotocols; "" for none.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// SetReadLimit bounds the messages that are read, in bytes. A larger one closes the
// connection with 1009. Default: 32,768. Negative: no bound.
func (c *Conn) SetReadLimit(n int64) { c.ws.SetReadLimit(n) }

// Read reads the next message, which counts as use of the session unless
// Options.NoKeepAlive says otherwise. A message that comes after the session has ended
// is not returned. Somebody has to read, or call CloseRead, for what the client says of
// the connection itself to be answered.
func (c *Conn) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	kind, r, err := c.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	message, err := io.ReadAll(r)
	return kind, message, err
}

// Reader is Read for a message that need not be had in one piece. It has to be read to
// its end.
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

// Writer is Write for a message that is not at hand in one piece: it is closed when the
// message is complete. Other messages wait until then. One that is not complete when
// the session ends never is.
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

// Ping asks the client for a sign of life and waits for it. Somebody has to read
// meanwhile. The browser answers without the page, so that it is no use of the session.
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

// Close closes the connection with a code and a reason, of 123 bytes at the most, of the
// handler's own: 4000 to 4999 are for that. It ends the handler's context. If the
// connection is closed already it does nothing.
func (c *Conn) Close(code websocket.StatusCode, reason string) error {
	defer c.lose(errDone)
	if c.ctx.Err() != nil {
		return nil
	}
	return c.shut(code, reason)
}
