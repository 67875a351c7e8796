package websocketsession_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// A socket on one node is closed when its session ends on another, with the code and the reason.
// The socket of another user is not.
func TestSessionEndsElsewhere(t *testing.T) {
	t.Parallel()
	for path, loggedOut := range map[string]bool{"/logout": true, "/login": true, "/revoke": true, "/renew": false, "/count": false} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			kept := newStore(t, nil)
			here, there := newNode(t, kept, session.Config{}).listen(t), newNode(t, kept, session.Config{}).listen(t)
			there.handle = func(ctx context.Context, c *socket, s *sess) error {
				err := echo(ctx, c, s)
				if s.Owner() != "" && loggedOut && (ctx.Err() == nil || !errors.Is(context.Cause(ctx), session.ErrRevoked) || !errors.Is(err, session.ErrRevoked)) {
					t.Errorf("the handler got %v, and its context %v", err, context.Cause(ctx))
				}
				return err
			}
			ada, bob := newClient(), newClient()
			bob.post(t, here, "/count")
			ada.post(t, here, "/login")
			hers, his := ada.open(t, there), bob.open(t, there)
			ask(t, hers, "hello")
			ada.post(t, here, path)
			if !loggedOut {
				ada.post(t, here, path)
				if answer := ask(t, hers, "still there?"); answer != "still there?" {
					t.Errorf("got %q", answer)
				}
				ada.post(t, here, "/logout") // the end of the renewed session ends the socket
			}
			wantClose(t, hers, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
			wantErr(t, "Serve", <-there.served, session.ErrRevoked)
			if answer := ask(t, his, "and me?"); answer != "and me?" {
				t.Errorf("another user got %q", answer)
			}
		})
	}
}

// After Reload, the socket sees what other requests have saved, and other requests see what the
// socket saves, whatever id the session has by then.
func TestReloadAndSave(t *testing.T) {
	t.Parallel()
	kept := newStore(t, nil)
	here, there := newNode(t, kept, session.Config{}).listen(t), newNode(t, kept, session.Config{}).listen(t)
	there.handle = func(ctx context.Context, c *socket, s *sess) error {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return err
			}
			if err := s.Reload(ctx); err != nil {
				return err
			}
			seen := s.Data().Count
			s.Update(func(a *account) { a.Count += 10 })
			if err := s.Save(ctx); err != nil {
				return err
			}
			if err := c.Write(ctx, websocket.MessageText, []byte{byte('0' + seen)}); err != nil {
				return err
			}
		}
	}
	ada := newClient()
	ada.post(t, here, "/login")
	ws := ada.open(t, there)
	ada.post(t, here, "/count")
	if seen := ask(t, ws, ""); seen != "1" {
		t.Errorf("the socket saw %s, want 1", seen)
	}
	if text := ada.post(t, here, "/me"); text != "ada 11" {
		t.Errorf("the page shows %q", text)
	}
	ada.post(t, here, "/renew")
	if ask(t, ws, ""); ada.post(t, here, "/me") != "ada 21" {
		t.Errorf("after a renewal the page shows %q", ada.post(t, here, "/me"))
	}
	ws.Close(websocket.StatusNormalClosure, "")
	wantErr(t, "Serve", <-there.served, nil)
}

// If the handler detects the end first, the connection is closed with the same code and reason.
func TestHandlerDetectsTheEndFirst(t *testing.T) {
	t.Parallel()
	kept := newStore(t, nil)
	n := newNode(t, unwatched{kept}, session.Config{StoreLimits: session.StoreLimits{RecheckInterval: time.Hour}}).listen(t)
	other := newNode(t, kept, session.Config{}).listen(t)
	n.handle = func(ctx context.Context, c *socket, s *sess) error {
		if _, _, err := c.Read(ctx); err != nil {
			return err
		}
		return s.Reload(ctx)
	}
	ada := newClient()
	ada.post(t, n, "/login")
	ws := ada.open(t, n)
	ada.post(t, other, "/logout")
	if err := ws.Write(t.Context(), websocket.MessageText, nil); err != nil {
		t.Fatal(err)
	}
	wantClose(t, ws, websocket.StatusPolicyViolation, websocketsession.ReasonLoggedOut)
	wantErr(t, "Serve", <-n.served, session.ErrRevoked)
}

// When the server shuts down, the close code asks the client to try another server.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(n *node, end context.CancelFunc){
		"manager closed":        func(n *node, _ context.CancelFunc) { n.manager.Close() },
		"request context ended": func(_ *node, end context.CancelFunc) { end() },
		"server shut down": func(n *node, _ context.CancelFunc) {
			n.server.RegisterOnShutdown(func() { n.manager.Close() })
			go n.server.Shutdown(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
			base, end := context.WithCancel(context.Background())
			defer end()
			under := n.server.Handler
			n.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/socket" {
					r = r.WithContext(base)
				}
				under.ServeHTTP(w, r)
			})
			ada := newClient()
			ada.post(t, n, "/login")
			ws := ada.open(t, n)
			ask(t, ws, "hello")
			leave(n, end)
			wantClose(t, ws, websocket.StatusGoingAway, websocketsession.ReasonGoingAway)
			if err := <-n.served; !errors.Is(err, session.ErrClosed) && !errors.Is(err, context.Canceled) {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}
