package eventstream_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
	"github.com/nestsession/session/internal/pipes"
	"github.com/nestsession/session/store"
)

type account struct {
	User string `json:"user,omitempty"`
}

type sess = session.Session[account]

// node is a server with pages that use a session, and /events, which the test handles.
type node struct {
	manager *session.Manager[account]
	options eventstream.Options
	handle  func(ctx context.Context, events *eventstream.Stream, s *sess) error
	served  chan error // what Serve has returned, for each stream
	url     string
	server  *http.Server
}

// idle sends nothing.
func idle(ctx context.Context, _ *eventstream.Stream, _ *sess) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func newNode(t testing.TB, kept store.Store, cfg session.Config) *node {
	t.Helper()
	cfg.Store, cfg.Secrets = kept, []string{"a secret for tests, 32 bytes or so"}
	cfg.Cookie.Secure = session.Insecure
	cfg.Logger = slog.New(slog.DiscardHandler)
	m, err := session.New[account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &node{manager: m, handle: idle, served: make(chan error, 1000)}
}

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	page := func(path string, f func(context.Context, *sess) error) {
		mux.HandleFunc("POST "+path, n.manager.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
			if err := f(r.Context(), s); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
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
	page("/logout", func(ctx context.Context, s *sess) error { return s.Destroy(ctx) })
	page("/renew", func(ctx context.Context, s *sess) error { return s.Renew(ctx) })
	page("/revoke", func(ctx context.Context, s *sess) error {
		_, err := n.manager.RevokeOwner(ctx, "user:ada")
		return err
	})
	mux.HandleFunc("GET /events", n.manager.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
		n.served <- eventstream.Serve(w, r, s, n.options, func(ctx context.Context, events *eventstream.Stream) error {
			return n.handle(ctx, events, s)
		})
	}))
	return mux
}

// listen serves the node on loopback; configure, if given, sees the server first.
func (n *node) listen(t testing.TB, configure func(*httptest.Server)) *node {
	t.Helper()
	s := httptest.NewUnstartedServer(n.handler())
	if configure != nil {
		configure(s)
	}
	if s.EnableHTTP2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		n.manager.Close() // ends the streams, for which the server waits
		s.Close()
	})
	n.url, n.server = s.URL, s.Config
	return n
}

// client is a browser: it has one jar of cookies for all nodes.
type client struct{ http.Client }

func newClient(transport http.RoundTripper) *client {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return &client{http.Client{Jar: jar, Transport: transport}}
}

func (c *client) post(t testing.TB, n *node, path string) {
	t.Helper()
	res, err := c.Post(n.url+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %s, %v", path, res.Status, text, err)
	}
}

// stream is an open one, as a browser has it.
type stream struct {
	*http.Response
	lines *bufio.Reader
}

func (c *client) open(t testing.TB, n *node, header ...string) *stream {
	t.Helper()
	r, err := http.NewRequest("GET", n.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &stream{res, bufio.NewReader(res.Body)}
}

// next returns the next block of lines, without the empty line after it; at the end of the stream,
// the incomplete block and the error.
func (s *stream) next() (string, error) {
	var block strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil || line == "\n" {
			return block.String() + line[:max(len(line)-1, 0)], err
		}
		block.WriteString(line)
	}
}

// want reads the next block that is no comment.
func (s *stream) want(t testing.TB, want string) {
	t.Helper()
	for {
		got, err := s.next()
		if err != nil {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		if strings.HasPrefix(got, ":") {
			continue
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		return
	}
}

// wantOver reads to the end of the stream. Nothing else may come before the end.
func (s *stream) wantOver(t testing.TB) {
	t.Helper()
	for {
		got, err := s.next()
		if err == nil && strings.HasPrefix(got, ":") {
			continue
		}
		if err != io.EOF || got != "" {
			t.Errorf("got %q, %v, want the end", got, err)
		}
		return
	}
}

func last(reason string) string {
	return fmt.Sprintf("event: %s\ndata: %s\n", eventstream.EndEvent, reason)
}

// onPipes serves the node in a bubble of testing/synctest, to the client that it returns.
func (n *node) onPipes(t *testing.T, configure func(*http.Server)) *client {
	t.Helper()
	n.url = "http://shop.test"
	n.server = &http.Server{Handler: n.handler()}
	if configure != nil {
		configure(n.server)
	}
	return newClient(pipes.Serve(t, n.server))
}

// inBubble runs a test in a bubble of testing/synctest. It fails if goroutines are left.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// trusting is a transport that accepts any certificate, since the tests' servers have certificates
// of their own.
func trusting(t testing.TB, http2 bool) http.RoundTripper {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
