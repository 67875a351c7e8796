package live_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// socket serves a WebSocket that echoes messages while the session lives.
func socket(m *session.Manager[data]) http.Handler {
	return m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[data]) {
		_ = websocketsession.Serve(w, r, s, websocketsession.Options{}, func(ctx context.Context, c *websocketsession.Conn) error {
			for {
				kind, message, err := c.Read(ctx)
				if err != nil {
					return err
				}
				if err := c.Write(ctx, kind, message); err != nil {
					return err
				}
			}
		})
	})
}

// connect opens the visitor's WebSocket at the Go application.
func (r *rig) connect(t *testing.T, v *visitor) *websocket.Conn {
	t.Helper()
	header := http.Header{"Cookie": {cookieName + "=" + v.cookie}}
	url := strings.Replace(r.golang.base, "http", "ws", 1) + "/" + v.app + "/socket"
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// echoes reports whether the connection works.
func echoes(t *testing.T, c *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("are you there?")); err != nil {
		return err
	}
	_, _, err := c.Read(ctx)
	return err
}

// Go's WebSocket closes when Node logs the user out, as when Go does, and not when Node changes or
// extends the session or logs another user out.
func socketEndsWithLogout(t *testing.T, r *rig) {
	for _, at := range []side{r.node, r.golang} {
		v, other := r.logIn(t, r.node, "hour"), r.logIn(t, r.node, "hour")
		mine, others := r.connect(t, v), r.connect(t, other)
		v.post(t, r.node, "/merge", data{"theme": "dark"})
		v.get(t, r.node, "/read")
		for _, c := range []*websocket.Conn{mine, others} {
			if err := echoes(t, c); err != nil {
				t.Errorf("with the session alive: %v", err)
			}
		}
		v.post(t, at, "/logout", nil)
		ctx, cancel := context.WithTimeout(t.Context(), maxWait)
		_, _, err := mine.Read(ctx)
		cancel()
		if status := websocket.CloseStatus(err); status != websocket.StatusPolicyViolation {
			t.Errorf("after the logout at %s the socket ended with %v (%v), want 1008", at.name, status, err)
		}
		if err := echoes(t, others); err != nil {
			t.Errorf("another user's socket after the logout at %s: %v", at.name, err)
		}
	}
}
