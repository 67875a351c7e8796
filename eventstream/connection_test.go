package eventstream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
)

// The server's timeouts, which are for ordinary requests, end no stream.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	for version, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			const timeout = 2 * time.Second
			n := newNode(t, newStore(t), session.Config{}).listen(t, func(s *httptest.Server) {
				s.EnableHTTP2 = http2
				s.Config.WriteTimeout, s.Config.ReadTimeout, s.Config.IdleTimeout = timeout, timeout, timeout
			})
			n.options.Heartbeat, n.options.WriteTimeout = -1, timeout // for each event, and not between them
			n.handle = func(ctx context.Context, events *eventstream.Stream, _ *sess) error {
				for range 3 {
					select {
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(2 * timeout):
					}
					if err := events.Send(eventstream.Event{Data: "tick"}); err != nil {
						return err
					}
				}
				return nil
			}
			ada := newClient(trusting(t, http2))
			ada.post(t, n, "/login")
			s := ada.open(t, n)
			for range 3 {
				s.want(t, "data: tick\n")
			}
			s.wantOver(t)
			wantErr(t, "Serve", <-n.served, nil)
		})
	}
}

// A stream without events gets a comment at intervals, but not soon after an event, which shows by
// itself that the stream works.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		n.handle = func(ctx context.Context, events *eventstream.Stream, _ *sess) error {
			for range 6 {
				time.Sleep(10 * time.Second)
				if err := events.Send(eventstream.Event{Data: "busy"}); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		s := ada.open(t, n)
		began, beats := time.Now(), 0
		for time.Since(began) < 2*time.Minute {
			if block, err := s.next(); err != nil {
				t.Fatal(err)
			} else if strings.HasPrefix(block, ":") {
				beats++
			}
		}
		if want := 1 + 60/15; beats != want { // with the first line
			t.Errorf("%d comments in two minutes of which one is busy, want %d", beats, want)
		}
	})
}

// A client that receives nothing loses the stream after WriteTimeout, whoever writes, and blocks
// nobody for longer.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, *eventstream.Stream, *sess) error{
		"an event": func(_ context.Context, events *eventstream.Stream, _ *sess) error {
			for {
				if err := events.Send(eventstream.Event{Data: strings.Repeat("x", 1<<20)}); err != nil {
					return err
				}
			}
		},
		"a heartbeat": idle,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, newStore(t), session.Config{})
				n.options = eventstream.Options{WriteTimeout: 5 * time.Second, Heartbeat: time.Millisecond}
				n.handle = handle
				ada := n.onPipes(t, nil)
				ada.post(t, n, "/login")
				began := time.Now()
				ada.open(t, n) // and reads only what its transport buffers
				wantErr(t, "Serve", <-n.served, eventstream.ErrSlow)
				if took := time.Since(began); took < 5*time.Second || took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// When the client disconnects, the handler's context ends, and Serve returns no error.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, *eventstream.Stream, *sess) error{
		"while waiting": idle,
		"while sending": func(_ context.Context, events *eventstream.Stream, _ *sess) error {
			for {
				if err := events.Send(eventstream.Event{Data: "tick"}); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
			n.handle = handle
			ada := newClient(nil)
			ada.post(t, n, "/login")
			s := ada.open(t, n)
			if _, err := s.next(); err != nil {
				t.Fatal(err)
			}
			s.Body.Close()
			wantErr(t, "Serve", <-n.served, nil)
		})
	}
}

var errHandler = errors.New("the handler's")

// When the handler returns, the stream ends; Send then does nothing, in whatever goroutine.
func TestHandlerReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{})
		var kept *eventstream.Stream
		n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
			kept = events
			return errHandler
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		ada.open(t, n).wantOver(t)
		wantErr(t, "Serve", <-n.served, errHandler)
		if err := kept.Send(eventstream.Event{Data: "late"}); err == nil {
			t.Error("an event was sent after the response had ended")
		}
		n.handle = func(context.Context, *eventstream.Stream, *sess) error { panic(http.ErrAbortHandler) }
		s := ada.open(t, n)
		if _, err := s.lines.WriteTo(io.Discard); err == nil {
			t.Error("the stream of a handler that panicked ended in good order")
		}
		time.Sleep(time.Hour)
		synctest.Wait() // no heartbeat follows
	})
}

// A response that cannot stream, and options that cannot work, are answered as errors.
func TestCannotStream(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
	ada := newClient(nil)
	ada.post(t, n, "/login")
	for _, o := range []eventstream.Options{{WriteTimeout: -1}, {Retry: -1}} {
		n.options = o
		if s := ada.open(t, n); s.StatusCode != http.StatusInternalServerError {
			t.Errorf("%+v: answered %s", o, s.Status)
		}
		if err := <-n.served; err == nil || !strings.Contains(err.Error(), "write a positive duration") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	n.options = eventstream.Options{}
	r := httptest.NewRequest("GET", n.url+"/events", nil)
	for _, c := range ada.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	n.server.Handler.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a response that cannot flush: %d", w.Code)
	}
	wantErr(t, "Serve", <-n.served, http.ErrNotSupported)
}
