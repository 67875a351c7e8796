package websocketsession_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// When the handler's context has ended, nothing that the handler writes reaches the client, whether
// or not a message has been begun.
func TestNothingIsWrittenAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"between messages": false, "within one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
			n.handle = func(ctx context.Context, c *socket, _ *sess) error {
				var w io.WriteCloser
				if begun {
					var err error
					if w, err = c.Writer(ctx, websocket.MessageText); err != nil {
						return err
					}
					if _, err := io.WriteString(w, "half of a "); err != nil {
						return err
					}
				}
				<-ctx.Done()
				if begun {
					_, err := io.WriteString(w, "secret")
					wantErr(t, "writing on", err, session.ErrRevoked)
					wantErr(t, "completing the message", w.Close(), session.ErrRevoked)
				}
				wantErr(t, "Write", c.Write(ctx, websocket.MessageText, []byte("secret")), session.ErrRevoked)
				_, err := c.Writer(ctx, websocket.MessageText)
				wantErr(t, "Writer", err, session.ErrRevoked)
				wantErr(t, "Ping", c.Ping(ctx), session.ErrRevoked)
				_, _, err = c.Read(context.Background())
				wantErr(t, "Read", err, session.ErrRevoked)
				wantErr(t, "Close", c.Close(4000, "mine"), nil)
				return nil
			}
			for range 25 {
				ada := newClient()
				ada.post(t, n, "/login")
				ws := ada.open(t, n)
				ada.post(t, n, "/logout")
				wantClose(t, ws, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
				wantErr(t, "Serve", <-n.served, session.ErrRevoked)
			}
		})
	}
}

// What the client sends after the end, before it knows of the end, is not returned to the handler:
// neither a message nor the rest of one.
func TestNothingIsReadAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"a message": false, "the rest of one": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				n := newNode(t, newStore(t, nil), session.Config{})
				n.handle = func(ctx context.Context, c *socket, _ *sess) error {
					_, r, err := c.Reader(ctx)
					if err == nil && !begun {
						t.Error("the handler got a message")
					}
					if err != nil {
						return err
					}
					message, err := io.ReadAll(r)
					if err == nil {
						t.Errorf("the handler got %q", message)
					}
					return err
				}
				ada := n.onPipes(t)
				ada.post(t, n, "/login")
				ws := ada.open(t, n)
				w, err := ws.Writer(t.Context(), websocket.MessageText)
				if err != nil {
					t.Fatal(err)
				}
				send := func(size int) {
					t.Helper()
					if _, err := w.Write(make([]byte, size)); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if begun {
					send(8192) // more than the library buffers
				}
				synctest.Wait() // the handler reads
				ada.post(t, n, "/logout")
				synctest.Wait() // the close frame waits for the client to read
				send(8)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				wantClose(t, ws, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
				wantErr(t, "Serve", <-n.served, session.ErrRevoked)
			})
		})
	}
}

// If nothing reports the end, the first message that is to keep the session alive
// detects it, and the handler does not get that message.
func TestMessageDetectsTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStore(t, nil)
		n := newNode(t, unwatched{kept}, session.Config{IdleTimeout: time.Hour, StoreLimits: session.StoreLimits{RecheckInterval: time.Hour}})
		n.handle = func(ctx context.Context, c *socket, _ *sess) error {
			_, message, err := c.Read(ctx)
			if err == nil {
				t.Errorf("the handler got %q", message)
			}
			return err
		}
		other := newNode(t, kept, session.Config{})
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		synctest.Wait() // the hub has looked at the session
		if _, err := other.manager.RevokeOwner(t.Context(), "user:ada"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if err := ws.Write(t.Context(), websocket.MessageText, []byte("transfer it all")); err != nil {
			t.Fatal(err)
		}
		wantClose(t, ws, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
	})
}

// When the handler has returned, the context of its goroutines ends at once, and Serve waits for
// its own goroutines, so that none uses the session after the request has ended.
func TestGoroutinesEndBeforeServeReturns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStore(t, nil)
		n := newNode(t, kept, session.Config{IdleTimeout: time.Hour})
		ended := make(chan time.Duration, 1)
		returns := make(chan struct{})
		n.handle = func(ctx context.Context, c *socket, _ *sess) error {
			c.CloseRead()
			<-returns
			began := time.Now()
			go func() {
				<-ctx.Done()
				ended <- time.Since(began)
				if err := c.Write(ctx, websocket.MessageText, nil); err == nil {
					t.Error("a message was written after the handler had returned")
				}
			}()
			return nil
		}
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		time.Sleep(10 * time.Minute)
		slow := make(chan struct{})
		kept.hold(slow)
		if err := ws.Write(t.Context(), websocket.MessageText, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()                  // the store is called to keep the session alive
		go ws.Read(context.Background()) // answers the close frame
		close(returns)
		if after := <-ended; after != 0 {
			t.Errorf("the context ended %v after the handler had returned", after)
		}
		time.Sleep(time.Second)
		select {
		case err := <-n.served:
			t.Errorf("Serve has returned %v while the store was at work", err)
		default:
		}
		close(slow)
		if err := <-n.served; err != nil && !errors.Is(err, session.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}
