package interop_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/engine"
	"github.com/nestsession/session/tests/interop/scenario"
)

// vectors reads the vectors of a file.
func vectors[V any](t *testing.T, name string) []V {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		About   string
		Vectors []V
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s: no vectors", name)
	}
	return file.Vectors
}

// clock does not move until a test sets it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// bench is an application for vectors: a server with one manager, whose ids, clock and store the
// test controls.
type bench struct {
	clock   clock
	kept    *memstore.Store
	ids     []string // the generator returns these in order; the last one is repeated
	handler func(*session.Session[engine.Data])
	server  *httptest.Server
}

type benchOptions struct {
	options json.RawMessage // as in scenarios, or nil
	secrets []string
	at      time.Time
	tls     bool
	ids     []string
	store   store.Store // nil: kept
}

// newBench starts an application. The error says that the configuration is refused.
func newBench(t *testing.T, o benchOptions) (*bench, error) {
	t.Helper()
	b := &bench{ids: o.ids, handler: func(*session.Session[engine.Data]) {}}
	b.clock.set(o.at)
	b.kept = memstore.New(memstore.Config{Now: b.clock.Now, SweepInterval: -1})
	t.Cleanup(func() { b.kept.Close() })
	var options scenario.Options
	if o.options == nil {
		o.options = json.RawMessage("{}")
	}
	if err := json.Unmarshal(o.options, &options); err != nil {
		t.Fatal(err)
	}
	options.Secrets = o.secrets
	m, err := engine.NewManager(&options, o.at, func(cfg *session.Config) {
		cfg.Store = b.kept
		if o.store != nil {
			cfg.Store = o.store
		}
		cfg.Now = b.clock.Now
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.GenID = func(*http.Request) (string, error) {
			id := b.ids[0]
			if len(b.ids) > 1 {
				b.ids = b.ids[1:]
			}
			return id, nil
		}
	})
	if err != nil {
		return nil, err
	}
	handler := m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[engine.Data]) { b.handler(s) })
	if o.tls {
		b.server = httptest.NewTLSServer(handler)
	} else {
		b.server = httptest.NewServer(handler)
	}
	t.Cleanup(b.server.Close)
	return b, nil
}

// get makes a request with these Cookie lines.
func (b *bench) get(t *testing.T, path string, headers []scenario.Header, cookies ...string) *client.Response {
	t.Helper()
	r := client.Request{
		Addr: b.server.Listener.Addr().String(), Method: "GET", Path: path, Headers: headers, Cookies: cookies,
	}
	if b.server.TLS != nil {
		transport := b.server.Client().Transport.(*http.Transport)
		r.TLS = transport.TLSClientConfig.Clone()
		r.TLS.ServerName = "example.com"
		r.TLS.NextProtos = []string{"http/1.1"}
	}
	resp, err := r.Do()
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// record returns the stored record under an id.
func (b *bench) record(t *testing.T, id string) (store.Record, bool) {
	t.Helper()
	rec, err := b.kept.Load(context.Background(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return rec, err == nil
}

// oneLine returns the only Set-Cookie line of a response, or "".
func oneLine(resp *client.Response) string {
	if lines := resp.Header["Set-Cookie"]; len(lines) > 0 {
		return fmt.Sprint(lines[0], map[bool]string{true: " and more"}[len(lines) > 1])
	}
	return ""
}

// secretOf reads a secret of a vector: a text, or {"hex":...}.
func secretOf(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var object struct{ Hex string }
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(object.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return string(secret)
}

// Every id is signed as express-session signs it, and the same forms of a cookie are accepted.
func TestVectorsSigning(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name           string
		Secrets        []json.RawMessage
		ID             string
		CookieValue    string
		SetCookie      string
		RequestCookies []struct {
			How       string
			Cookie    string
			CookieHex string
			Accepted  bool
		}
	}
	for _, v := range vectors[vector](t, "signing") {
		var secrets []string
		for _, s := range v.Secrets {
			secrets = append(secrets, secretOf(t, s))
		}
		b, err := newBench(t, benchOptions{
			options: json.RawMessage(`{"saveUninitialized":true,"resave":false}`), secrets: secrets, at: scenario.DefaultClock,
			ids: []string{v.ID},
		})
		if secrets[0] == "" {
			if err == nil {
				t.Errorf("%s: an empty secret is accepted", v.Name)
			}
			continue // express-session accepts the empty secret and signs with it
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if got := oneLine(b.get(t, "/", nil)); got != v.SetCookie {
			t.Errorf("%s: Set-Cookie\n  expected %s\n  got      %s", v.Name, v.SetCookie, got)
		}
		for _, c := range v.RequestCookies {
			line := c.Cookie
			if raw, err := hex.DecodeString(c.CookieHex); err == nil && len(raw) > 0 {
				line = string(raw)
			}
			var id string
			b.ids = []string{"fresh"}
			b.handler = func(s *session.Session[engine.Data]) { id = s.ID() }
			b.get(t, "/", nil, line)
			if accepted := id == v.ID; accepted != c.Accepted {
				t.Errorf("%s, %s: accepted is %v, not %v\n  %s", v.Name, c.How, accepted, c.Accepted, line)
			}
		}
	}
}

// Every Set-Cookie line is the same as express-session's, byte for byte. If express-session cannot
// write it either, New refuses the configuration or the request fails: no session is stored whose
// client could not return to it.
func TestVectorsSetCookie(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name      string
		Options   map[string]json.RawMessage
		Clock     time.Time
		Path      string
		TLS       bool
		Headers   [][2]string
		SetCookie *string
		LateError string
	}
	for _, v := range vectors[vector](t, "set-cookie") {
		if bytes.Contains(v.Options["cookie"], []byte(`"+0`)) {
			// A year above 9999: no time.Duration is that long. This vector tests package cookie,
			// which takes the date as it is.
			continue
		}
		if cookie, unknown := bytes.CutPrefix(v.Options["cookie"], []byte(`{"color":"blue",`)); unknown {
			// Express ignores it; here the compiler refuses a field of that name.
			v.Options["cookie"] = append([]byte("{"), cookie...)
		}
		v.Options["saveUninitialized"], v.Options["resave"] = json.RawMessage("true"), json.RawMessage("false")
		options, err := json.Marshal(v.Options)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBench(t, benchOptions{
			options: options, secrets: []string{"golden"}, at: v.Clock, tls: v.TLS, ids: []string{"fixed-id"},
		})
		if err != nil {
			if v.LateError == "" {
				t.Errorf("%s: %v", v.Name, err)
			}
			continue
		}
		var headers []scenario.Header
		for _, h := range v.Headers {
			headers = append(headers, scenario.Header{Name: h[0], Values: []string{h[1]}})
		}
		path := v.Path
		if path == "" {
			path = "/"
		}
		resp := b.get(t, path, headers)
		want := ""
		if v.SetCookie != nil {
			want = *v.SetCookie
		}
		if got := oneLine(resp); got != want {
			t.Errorf("%s: Set-Cookie\n  expected %s\n  got      %s", v.Name, want, got)
		}
		if _, stored := b.record(t, "fixed-id"); stored && want == "" {
			t.Errorf("%s: a session is stored whose cookie was not sent", v.Name)
		}
		if failed := resp.Status == http.StatusInternalServerError; failed != (v.LateError != "") {
			t.Errorf("%s: status %d where express-session reports %q", v.Name, resp.Status, v.LateError)
		}
	}
}

// From every Cookie header the same id is read, or none.
func TestVectorsCookieHeaders(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name, CookieName, Secret string
		Lines, LinesHex          []string
		ID                       *string
	}
	for _, v := range vectors[vector](t, "cookie-headers") {
		asked := &asking{}
		name, err := json.Marshal(v.CookieName)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBench(t, benchOptions{
			options: json.RawMessage(`{"name":` + string(name) + `}`), secrets: []string{v.Secret}, at: scenario.DefaultClock,
			ids: []string{"fresh"}, store: asked,
		})
		if err != nil {
			t.Fatal(err)
		}
		lines := v.Lines
		for _, h := range v.LinesHex {
			raw, err := hex.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(raw))
		}
		b.get(t, "/", nil, lines...)
		want := []string(nil)
		if v.ID != nil {
			want = []string{*v.ID}
		}
		if fmt.Sprint(asked.ids) != fmt.Sprint(want) {
			t.Errorf("%s: the store is asked for %q, not %q", v.Name, asked.ids, want)
		}
	}
}

// asking is an empty store that records which ids were loaded.
type asking struct{ ids []string }

func (a *asking) Load(_ context.Context, id string) (store.Record, error) {
	if !engine.IsOwn(id) {
		a.ids = append(a.ids, id)
	}
	return store.Record{}, store.ErrNotFound
}

func (a *asking) Create(context.Context, store.Record) (store.Version, error) { return 1, nil }

func (a *asking) Update(context.Context, store.Record) (store.Version, error) {
	return 0, store.ErrNotFound
}

func (a *asking) Touch(context.Context, string, time.Time) error { return store.ErrNotFound }

func (a *asking) Delete(context.Context, string) error { return nil }
