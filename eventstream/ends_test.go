package eventstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
	"github.com/nestsession/session/store/memstore"
)

func newStore(t testing.TB) *memstore.Store {
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { s.Close() })
	return s
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// A stream on one node gets its last event when its session ends on another, with the
// reason, over each version of HTTP; a renewal ends nothing.
func TestSessionEndsElsewhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/logout", "/login", "/revoke"} {
		for version, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
			t.Run(path[1:]+", "+version, func(t *testing.T) {
				t.Parallel()
				kept := newStore(t)
				start := func(s *httptest.Server) { s.EnableHTTP2 = http2 }
				here, there := newNode(t, kept, session.Config{}), newNode(t, kept, session.Config{})
				here.listen(t, start)
				there.listen(t, start)
				more := make(chan string)
				there.handle = func(ctx context.Context, events *eventstream.Stream, _ *sess) error {
					for {
						select {
						case text := <-more:
							if err := events.Send(eventstream.Event{Data: text}); err != nil {
								return err
							}
						case <-ctx.Done():
							wantErr(t, "the handler's context", context.Cause(ctx), session.ErrRevoked)
							wantErr(t, "Send", events.Send(eventstream.Event{Data: "a secret"}), session.ErrRevoked)
							return nil
						}
					}
				}
				ada := newClient(trusting(t, http2))
				ada.post(t, here, "/login")
				s := ada.open(t, there)
				if s.Proto != version {
					t.Fatalf("served over %s", s.Proto)
				}
				more <- "hello"
				s.want(t, "data: hello\n")
				ada.post(t, here, "/renew")
				ada.post(t, here, "/renew")
				more <- "still there?"
				s.want(t, "data: still there?\n")
				ada.post(t, here, path)
				s.want(t, last(eventstream.ReasonLoggedOut))
				s.wantOver(t)
				wantErr(t, "Serve", <-there.served, session.ErrRevoked)
			})
		}
	}
}

// The last event does not wait for a handler that does not watch its context.
func TestLastEventIsPrompt(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
	wakes := make(chan struct{})
	n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
		<-wakes
		return events.Send(eventstream.Event{Data: "a secret"})
	}
	ada := newClient(nil)
	ada.post(t, n, "/login")
	s := ada.open(t, n)
	ada.post(t, n, "/logout")
	s.want(t, last(eventstream.ReasonLoggedOut))
	close(wakes)
	s.wantOver(t)
	wantErr(t, "Serve", <-n.served, session.ErrDestroyed)
}

// An open stream does not keep a session alive; KeepAlive does. The last event says why the session
// ended.
func TestExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t), session.Config{IdleTimeout: time.Hour})
		n.handle = func(ctx context.Context, events *eventstream.Stream, s *sess) error {
			for used := 0; ; used++ {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(21 * time.Minute):
				}
				if used < 6 {
					wantErr(t, "KeepAlive", s.KeepAlive(ctx), nil)
				}
				if err := events.Send(eventstream.Event{Data: "tick"}); err != nil {
					return err
				}
			}
		}
		ada := n.onPipes(t, nil)
		began := time.Now()
		ada.post(t, n, "/login")
		s := ada.open(t, n)
		for range 8 {
			s.want(t, "data: tick\n")
		}
		s.want(t, last(eventstream.ReasonExpired))
		s.wantOver(t)
		if lived := time.Since(began); lived != 186*time.Minute {
			t.Errorf("ended after %v, want an hour after the use at 126 minutes", lived)
		}
		wantErr(t, "Serve", <-n.served, session.ErrExpired)
	})
}

// If the handler detects the end first, the client gets the last event nevertheless.
func TestHandlerDetectsTheEndFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStore(t)
		n := newNode(t, unwatched{kept}, session.Config{StoreLimits: session.StoreLimits{RecheckInterval: time.Hour}})
		other := newNode(t, kept, session.Config{})
		n.handle = func(ctx context.Context, _ *eventstream.Stream, s *sess) error {
			time.Sleep(time.Minute)
			return s.Reload(ctx)
		}
		ada := n.onPipes(t, nil)
		ada.post(t, n, "/login")
		s := ada.open(t, n)
		synctest.Wait() // the hub has looked at the session
		if _, err := other.manager.RevokeOwner(t.Context(), "user:ada"); err != nil {
			t.Fatal(err)
		}
		s.want(t, last(eventstream.ReasonLoggedOut))
		s.wantOver(t)
		wantErr(t, "Serve", <-n.served, session.ErrRevoked)
	})
}

// unwatched is a store that reports no changes.
type unwatched struct{ *memstore.Store }

func (unwatched) Watch() {}

// A server that shuts down does not wait for streams if the manager is closed on shutdown. The
// client gets no event that says that it is logged out.
func TestShutdown(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
	n.server.RegisterOnShutdown(func() { n.manager.Close() })
	ada := newClient(nil)
	ada.post(t, n, "/login")
	s := ada.open(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wantErr(t, "Shutdown", n.server.Shutdown(ctx), nil)
	s.wantOver(t)
	wantErr(t, "Serve", <-n.served, session.ErrClosed)
}

// A client without a live session gets no stream.
func TestNoSession(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
	ada := newClient(nil)
	refused := func(what string, status int, want error) {
		t.Helper()
		if s := ada.open(t, n); s.StatusCode != status || s.Header.Get("Content-Type") == "text/event-stream" {
			t.Errorf("%s: answered %s", what, s.Status)
		}
		wantErr(t, what, <-n.served, want)
	}
	refused("not logged in", http.StatusUnauthorized, session.ErrNotSaved)
	ada.post(t, n, "/login")
	n.manager.Close()
	refused("manager closed", http.StatusServiceUnavailable, session.ErrClosed)
}
