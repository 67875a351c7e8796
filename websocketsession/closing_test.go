package websocketsession_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// A client that stops responding delays nothing for longer than CloseTimeout, whether the handler
// reads, writes or waits when the session ends.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, *socket, *sess) error{
		"reading": echo,
		"writing": func(ctx context.Context, c *socket, _ *sess) error {
			for {
				if err := c.Write(ctx, websocket.MessageText, make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
		"writing a part": func(ctx context.Context, c *socket, _ *sess) error {
			w, err := c.Writer(ctx, websocket.MessageText)
			for err == nil {
				_, err = w.Write(make([]byte, 1<<20))
			}
			return errors.Join(err, w.Close())
		},
		"pinging": func(ctx context.Context, c *socket, _ *sess) error { return c.Ping(ctx) },
		"waiting": func(ctx context.Context, _ *socket, _ *sess) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
		"not reading": func(ctx context.Context, c *socket, _ *sess) error {
			c.CloseRead()
			<-ctx.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNode(t, newStore(t, nil), session.Config{})
				n.handle = handle
				n.options.CloseTimeout = 3 * time.Second
				ada := n.onPipes(t)
				ada.post(t, n, "/login")
				ada.open(t, n) // and never reads
				synctest.Wait()
				began := time.Now()
				ada.post(t, n, "/logout")
				wantErr(t, "Serve", <-n.served, session.ErrRevoked)
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("took %v, want 3s", took)
				}
			})
		})
	}
}

// A client that responds ends the wait: closing takes as long as its answer.
func TestClosingIsPrompt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t, nil), session.Config{})
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		go ws.Read(context.Background())
		synctest.Wait()
		began := time.Now()
		ada.post(t, n, "/logout")
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

var errHandler = errors.New("a secret of the handler's")

// The handler's error closes the connection, and its text is not sent to the client.
func TestHandlerReturns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handle func(ctx context.Context, c *socket, s *sess) error
		code   websocket.StatusCode
		reason string
		want   error
	}{
		"nothing":  {func(context.Context, *socket, *sess) error { return nil }, websocket.StatusNormalClosure, "", nil},
		"an error": {func(context.Context, *socket, *sess) error { return errHandler }, websocket.StatusInternalError, websocketsession.ReasonInternal, errHandler},
		"after its own close": {func(ctx context.Context, c *socket, _ *sess) error {
			err := c.Close(4001, "kicked out")
			if ctx.Err() == nil || c.Write(ctx, websocket.MessageText, nil) == nil {
				err = errors.New("the connection goes on after Close")
			}
			return errors.Join(err, c.Close(4002, "twice"))
		}, 4001, "kicked out", nil},
		"after a message that was not to come": {func(ctx context.Context, c *socket, _ *sess) error {
			c.CloseRead()
			c.CloseRead()
			_ = c.Write(ctx, websocket.MessageText, []byte("go"))
			<-ctx.Done()
			return nil
		}, websocket.StatusUnsupportedData, "no messages are read here", nil},
		"after logging out": {func(ctx context.Context, c *socket, s *sess) error {
			if err := s.Destroy(ctx); err != nil {
				return err
			}
			_, _, err := c.Read(ctx)
			return err
		}, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut, session.ErrDestroyed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
			n.handle = c.handle
			ada := newClient()
			ada.post(t, n, "/login")
			ws := ada.open(t, n)
			if c.code == websocket.StatusUnsupportedData {
				ask(t, ws, "") // nobody reads it; the answer has arrived before
			}
			wantClose(t, ws, c.code, c.reason)
			wantErr(t, "Serve", <-n.served, c.want)
		})
	}
}

// A handler that panics leaves neither an open connection nor a goroutine that uses it.
func TestHandlerPanics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t, nil), session.Config{})
		n.handle = func(_ context.Context, c *socket, _ *sess) error {
			c.CloseRead()
			panic(http.ErrAbortHandler)
		}
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		wantClose(t, ada.open(t, n), websocket.StatusInternalError, websocketsession.ReasonInternal)
	})
}

// The handler's error says how the client has closed the connection; a normal close is no error.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leave func(ws *websocket.Conn) error
		code  websocket.StatusCode // the status that Serve's error has; -1: no error
		fine  bool
	}{
		"page done": {func(ws *websocket.Conn) error { return ws.Close(websocket.StatusNormalClosure, "") }, -1, true},
		"page left": {func(ws *websocket.Conn) error { return ws.Close(websocket.StatusGoingAway, "") }, -1, true},
		"no code":   {func(ws *websocket.Conn) error { return ws.Close(websocket.StatusNoStatusRcvd, "") }, -1, true},
		"own code":  {func(ws *websocket.Conn) error { return ws.Close(4321, "enough") }, 4321, false},
		"cut":       {func(ws *websocket.Conn) error { return ws.CloseNow() }, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
			writer := make(chan error, 1)
			n.handle = func(ctx context.Context, c *socket, s *sess) error {
				go func() { // another goroutine of the handler gets the error as well
					<-ctx.Done()
					writer <- c.Write(ctx, websocket.MessageText, nil)
				}()
				return echo(ctx, c, s)
			}
			ada := newClient()
			ada.post(t, n, "/login")
			ws := ada.open(t, n)
			ask(t, ws, "hello")
			if err := c.leave(ws); err != nil {
				t.Error(err)
			}
			err := <-n.served
			if (err == nil) != c.fine || websocket.CloseStatus(err) != c.code || errors.Is(err, session.ErrRevoked) {
				t.Errorf("Serve: %v", err)
			}
			if err := <-writer; err == nil {
				t.Error("a message was written to nobody")
			}
		})
	}
}

// A context of the caller's own bounds a call. When it ends the connection ends too; but if the
// session has ended first, the error is that of the session.
func TestContexts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t, nil), session.Config{})
		var timeout time.Duration
		n.handle = func(ctx context.Context, c *socket, _ *sess) error {
			for {
				short, cancel := context.WithTimeout(ctx, timeout)
				kind, message, err := c.Read(short)
				if err == nil {
					err = c.Write(short, kind, message)
				}
				if err == nil {
					go c.Read(short)
					err = c.Ping(short)
				}
				cancel()
				if err != nil {
					return err
				}
			}
		}
		ada := n.onPipes(t)
		ada.post(t, n, "/login")

		timeout = 10 * time.Second
		ws := ada.open(t, n)
		began := time.Now()
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != -1 || time.Since(began) != timeout {
			t.Errorf("a silent client got %v after %v", err, time.Since(began))
		}
		wantErr(t, "Serve", <-n.served, context.DeadlineExceeded)

		timeout = time.Hour
		ws = ada.open(t, n)
		ask(t, ws, "hello")
		synctest.Wait()
		ada.post(t, n, "/logout")
		wantClose(t, ws, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
	})
}
