package websocketsession_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/pipes"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/websocketsession"
)

type account struct {
	User  string `json:"user,omitempty"`
	Count int    `json:"count"`
}

type (
	sess   = session.Session[account]
	socket = websocketsession.Conn
)

// node is a server with pages that use a session, and /socket, which the test handles.
type node struct {
	manager *session.Manager[account]
	options websocketsession.Options
	handle  func(ctx context.Context, c *socket, s *sess) error
	served  chan error // what Serve has returned, for each connection
	url     string
	server  *http.Server
}

// echo answers each message until it cannot.
func echo(ctx context.Context, c *socket, _ *sess) error {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, kind, message); err != nil {
			return err
		}
	}
}

func newNode(t testing.TB, kept store.Store, cfg session.Config) *node {
	t.Helper()
	cfg.Store, cfg.Secrets = kept, []string{"a secret for tests, 32 bytes or so"}
	cfg.Cookie.Secure = session.Insecure
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := session.New[account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &node{manager: m, handle: echo, served: make(chan error, 1000)}
}

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	page := func(path string, f func(context.Context, *sess) error) {
		mux.HandleFunc("POST "+path, n.manager.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
			if err := f(r.Context(), s); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, s.Data().User, " ", s.Data().Count)
		}))
	}
	page("/login", func(ctx context.Context, s *sess) error {
		if err := s.Regenerate(ctx); err != nil {
			return err
		}
		s.SetOwner("user:ada")
		s.Update(func(a *account) { a.User = "ada" })
		return nil
	})
	page("/me", func(context.Context, *sess) error { return nil })
	page("/logout", func(ctx context.Context, s *sess) error { return s.Destroy(ctx) })
	page("/renew", func(ctx context.Context, s *sess) error { return s.Renew(ctx) })
	page("/count", func(_ context.Context, s *sess) error { s.Update(func(a *account) { a.Count++ }); return nil })
	page("/revoke", func(ctx context.Context, s *sess) error {
		_, err := n.manager.RevokeOwner(ctx, "user:ada")
		return err
	})
	mux.HandleFunc("GET /socket", n.manager.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
		n.served <- websocketsession.Serve(w, r, s, n.options, func(ctx context.Context, c *socket) error { return n.handle(ctx, c, s) })
	}))
	return mux
}

// listen serves the node on loopback.
func (n *node) listen(t testing.TB) *node {
	t.Helper()
	s := httptest.NewServer(n.handler())
	t.Cleanup(s.Close)
	n.url, n.server = s.URL, s.Config
	return n
}

// client is a browser: it has one jar of cookies for all nodes.
type client struct{ http.Client }

func newClient() *client {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return &client{http.Client{Jar: jar}}
}

func (c *client) post(t testing.TB, n *node, path string) string {
	t.Helper()
	res, err := c.Post(n.url+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %s, %v", path, res.Status, text, err)
	}
	return string(text)
}

func (c *client) open(t testing.TB, n *node) *websocket.Conn {
	t.Helper()
	ws, res, err := c.try(n, nil)
	if err != nil {
		t.Fatal(err, res)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

func (c *client) try(n *node, header http.Header) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(context.Background(), n.url+"/socket", &websocket.DialOptions{HTTPClient: &c.Client, HTTPHeader: header})
}

// ask sends a message and returns the answer.
func ask(t testing.TB, ws *websocket.Conn, message string) string {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, answer, err := ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// wantClose reads until the connection is closed. It must be closed with the code and the reason,
// and nothing may come before.
func wantClose(t testing.TB, ws *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, message, err := ws.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code || closed.Reason != reason {
		t.Errorf("got %q, %v; want it closed with %d %q", message, err, code, reason)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// counted is a store that counts its calls, and fails when a test says so.
type counted struct {
	store.Store
	watch store.Watcher
	mu    sync.Mutex
	calls map[string]int
	down  bool
	slow  <-chan struct{} // if set, a load waits for it
}

var errDown = errors.New("the store is down")

func newStore(t testing.TB, now func() time.Time) *counted {
	mem := memstore.New(memstore.Config{Now: now})
	t.Cleanup(func() { mem.Close() })
	return &counted{Store: mem, watch: mem, calls: map[string]int{}}
}

func (c *counted) note(call string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
	if c.down {
		return errDown
	}
	return nil
}

func (c *counted) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *counted) hold(until <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = until
}

func (c *counted) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *counted) Watch(ctx context.Context, fn func(store.Event)) error {
	return c.watch.Watch(ctx, fn)
}

func (c *counted) Unwrap() store.Store { return c.Store }

func (c *counted) Load(ctx context.Context, id string) (store.Record, error) {
	if err := c.note("load"); err != nil {
		return store.Record{}, err
	}
	c.mu.Lock()
	slow := c.slow
	c.mu.Unlock()
	if slow != nil {
		<-slow
	}
	return c.Store.Load(ctx, id)
}

func (c *counted) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := c.note("update"); err != nil {
		return 0, err
	}
	return c.Store.Update(ctx, r)
}

func (c *counted) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := c.note("touch"); err != nil {
		return err
	}
	return c.Store.Touch(ctx, id, expires)
}

// onPipes serves the node in a bubble of testing/synctest, to the client that it returns.
func (n *node) onPipes(t *testing.T) *client {
	t.Helper()
	n.url = "http://shop.test"
	n.server = &http.Server{Handler: n.handler()}
	c := newClient()
	c.Transport = pipes.Serve(t, n.server)
	return c
}

// unwatched is a store that reports no changes.
type unwatched struct{ *counted }

func (unwatched) Watch()  {}
func (unwatched) Unwrap() {}
