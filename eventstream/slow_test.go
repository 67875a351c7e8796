package eventstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
)

// When the session of a slow client ends, nothing is sent after the write that has begun, and Serve
// does not hang.
func TestSessionOfASlowClientEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		n.options.WriteTimeout = 5 * time.Second
		sent := 0
		n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
			for {
				if err := events.Send(eventstream.Event{Data: strings.Repeat("x", 1<<20)}); err != nil {
					return err
				}
				sent++
			}
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		ada.open(t, n)
		synctest.Wait() // an event is being written
		began := time.Now()
		ada.post(t, n, "/logout")
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
		if took := time.Since(began); sent != 0 || took > 5*time.Second {
			t.Errorf("sent %d events, and took %v", sent, took)
		}
	})
}

// An event that waits behind one that a slow client does not receive is dropped at once when the
// session ends.
func TestWaitingEventIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		waited := make(chan time.Duration)
		n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
			go func() {
				time.Sleep(time.Second)
				began := time.Now()
				wantErr(t, "the second event", events.Send(eventstream.Event{Data: "small"}), session.ErrRevoked)
				waited <- time.Since(began)
			}()
			return events.Send(eventstream.Event{Data: strings.Repeat("x", 1<<20)})
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		ada.open(t, n)
		time.Sleep(3 * time.Second)
		ada.post(t, n, "/logout")
		if took := <-waited; took != 2*time.Second {
			t.Errorf("the second event waited for %v, want until the logout, 2s", took)
		}
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
	})
}

// Whether the handler or the hub detects the end first, the last event is sent.
func TestLastEventIsAlwaysSent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		n.handle = func(ctx context.Context, _ *eventstream.Stream, _ *sess) error {
			for ctx.Err() == nil { // detects the end as soon as anybody does
				time.Sleep(time.Nanosecond)
			}
			return nil
		}
		ada := n.onPipes(t, nil)
		for range 200 {
			ada.post(t, n, "/login")
			s := ada.open(t, n)
			ada.post(t, n, "/logout")
			s.want(t, last(eventstream.ReasonLoggedOut))
			s.wantOver(t)
			wantErr(t, "Serve", <-n.served, session.ErrRevoked)
		}
	})
}

// When the handler has returned, the context of its goroutines ends at once.
func TestSendFailsAfterTheHandlerReturns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		ended := make(chan time.Duration)
		n.handle = func(ctx context.Context, events *eventstream.Stream, _ *sess) error {
			began := time.Now()
			go func() {
				<-ctx.Done()
				ended <- time.Since(began)
				if err := events.Send(eventstream.Event{Data: "late"}); err == nil {
					t.Error("an event was sent after the handler had returned")
				}
			}()
			time.Sleep(time.Second)
			return session.ErrRevoked // as Reload may return; the last event waits for the client
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		ada.open(t, n)
		if after := <-ended; after != time.Second {
			t.Errorf("the context ended after %v, want when the handler has returned, 1s", after)
		}
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
	})
}

// A client that reads nothing is too slow over each version of HTTP, once all buffers between it
// and the server are full.
func TestSlowClientOnTheNetwork(t *testing.T) {
	t.Parallel()
	for version, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t), session.Config{}).listen(t, func(s *httptest.Server) { s.EnableHTTP2 = http2 })
			n.options.WriteTimeout = 500 * time.Millisecond
			n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
				for {
					if err := events.Send(eventstream.Event{Data: strings.Repeat("x", 1<<20)}); err != nil {
						return err
					}
				}
			}
			ada := newClient(trusting(t, http2))
			ada.post(t, n, "/login")
			ada.open(t, n)
			wantErr(t, "Serve", <-n.served, eventstream.ErrSlow)
		})
	}
}

// failing is a response whose connection fails after some writes.
type failing struct {
	*httptest.ResponseRecorder
	left int
}

var errReset = errors.New("connection reset by peer")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errReset
	}
	return f.ResponseRecorder.Write(p)
}

// A connection that fails ends the stream, whether an event or a heartbeat detects it. Serve then
// returns nil, as for a client that disconnects. If the response cannot even be begun, Serve
// returns an error.
func TestConnectionBreaks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		serve := func(writes int) error {
			r := httptest.NewRequest("GET", n.url+"/events", nil)
			for _, c := range ada.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			n.server.Handler.ServeHTTP(&failing{httptest.NewRecorder(), writes}, r)
			return <-n.served
		}
		wantErr(t, "found by a heartbeat", serve(1), nil)
		n.handle = func(ctx context.Context, events *eventstream.Stream, _ *sess) error {
			err := events.Send(eventstream.Event{Data: "hello"})
			if !errors.Is(err, errReset) || ctx.Err() == nil {
				t.Errorf("Send: %v; the context: %v", err, ctx.Err())
			}
			return err
		}
		wantErr(t, "found by an event", serve(1), nil)
		wantErr(t, "at the beginning", serve(0), errReset)
	})
}

var _ http.Flusher = (*failing)(nil)
