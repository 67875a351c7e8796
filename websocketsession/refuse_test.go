package websocketsession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// A client without a live session gets no socket.
func TestNoSession(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
	ada := newClient()
	refused := func(what string, status int, want error) {
		t.Helper()
		_, res, err := ada.try(n, nil)
		if err == nil || res == nil || res.StatusCode != status {
			t.Errorf("%s: answered %v, %v", what, res, err)
		}
		wantErr(t, what, <-n.served, want)
	}
	refused("not logged in", http.StatusUnauthorized, session.ErrNotSaved)
	ada.post(t, n, "/login")
	ada.open(t, n)
	ada.post(t, n, "/logout")
	<-n.served
	refused("logged out", http.StatusUnauthorized, session.ErrNotSaved)
	ada.post(t, n, "/login")
	n.manager.Close()
	refused("manager closed", http.StatusServiceUnavailable, session.ErrClosed)
}

// A page of another site cannot open a socket with the visitor's cookie, and no option allows every
// site to.
func TestOrigin(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
	ada := newClient()
	ada.post(t, n, "/login")
	try := func(origin string) int {
		t.Helper()
		ws, res, err := ada.try(n, http.Header{"Origin": {origin}})
		if err == nil {
			ws.CloseNow()
		}
		<-n.served
		return res.StatusCode
	}
	if status := try("https://evil.test"); status != http.StatusForbidden {
		t.Errorf("another site's page: %d", status)
	}
	if status := try(n.url); status != http.StatusSwitchingProtocols {
		t.Errorf("its own page: %d", status)
	}
	n.options.Accept = &websocket.AcceptOptions{OriginPatterns: []string{"app.shop.test"}}
	if status := try("https://app.shop.test"); status != http.StatusSwitchingProtocols {
		t.Errorf("a page of a site that is named: %d", status)
	}
	for _, o := range []websocketsession.Options{
		{Accept: &websocket.AcceptOptions{InsecureSkipVerify: true}},
		{Accept: &websocket.AcceptOptions{OriginPatterns: []string{"*"}}},
		{Accept: &websocket.AcceptOptions{OriginPatterns: []string{"app.shop.test", "https://*"}}},
		{CloseTimeout: -1},
		{CloseTimeout: time.Minute},
	} {
		n.options = o
		ws, res, err := ada.try(n, nil)
		if err == nil || res.StatusCode != http.StatusInternalServerError {
			t.Errorf("%+v: %v, %v", o, res, err)
		}
		if err == nil {
			ws.CloseNow()
		}
		wantErr(t, "Serve", <-n.served, websocketsession.ErrOptions)
	}
}

// A response that cannot become a socket is answered as HTTP.
func TestNotASocket(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
	ada := newClient()
	ada.post(t, n, "/login")
	res, err := ada.Get(n.url + "/socket")
	if err != nil || res.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("an ordinary request: %v, %v", res, err)
	}
	res.Body.Close()
	if err := <-n.served; err == nil {
		t.Error("Serve returned no error")
	}
	r := httptest.NewRequest("GET", n.url+"/socket", nil)
	for _, c := range ada.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")
	w := httptest.NewRecorder()
	n.server.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusNotImplemented {
		t.Errorf("with a connection that nobody can take over: %d", w.Code)
	}
	if err := <-n.served; err == nil || !strings.Contains(err.Error(), "taken over") {
		t.Errorf("Serve: %v", err)
	}
}

// Options.Accept is passed to the library.
func TestAcceptOptions(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
	n.options.Accept = &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover}
	n.handle = func(ctx context.Context, c *socket, s *sess) error {
		if c.Subprotocol() != "chat" {
			t.Errorf("agreed on %q", c.Subprotocol())
		}
		c.SetReadLimit(5)
		return echo(ctx, c, s)
	}
	ada := newClient()
	ada.post(t, n, "/login")
	ws, _, err := websocket.Dial(t.Context(), n.url+"/socket", &websocket.DialOptions{
		HTTPClient: &ada.Client, Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ask(t, ws, "12345")
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("123456")); err != nil {
		t.Fatal(err)
	}
	_, _, err = ws.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusMessageTooBig {
		t.Errorf("a message over the limit: %v", err)
	}
	wantErr(t, "Serve", <-n.served, websocket.ErrMessageTooBig)
}
