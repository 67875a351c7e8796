package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/memstore"
)

func init() { servers.KeepConnections() }

// site is a server, with the failures that a test can turn on and off.
type site struct {
	*testing.T
	url      string
	accounts *users.Store
	hasher   *hasher
	clock    *clock        // of the guard; it does not move by itself
	later    *atomic.Int64 // how far the clock of the sessions is ahead, in nanoseconds
	path     string        // of the users' file
	sessions *brittle
	log      *buffer
	app      *web.App
}

func setup(t *testing.T) *site {
	t.Helper()
	return setupLists(t, 20*time.Millisecond)
}

// setupLists returns a site that polls for sessions of other nodes at this interval.
func setupLists(t *testing.T, every time.Duration) *site {
	t.Helper()
	inner, err := passwords.NewHasher(passwords.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}, 0)
	if err != nil {
		t.Fatal(err)
	}
	later := new(atomic.Int64)
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	sessions := memstore.New(memstore.Config{Now: now})
	t.Cleanup(func() { _ = sessions.Close() })
	s := &site{T: t, hasher: &hasher{Hasher: inner}, clock: &clock{at: time.Unix(1_800_000_000, 0)}, later: later,
		path:     filepath.Join(t.TempDir(), "users.db"),
		sessions: &brittle{Store: sessions}, log: &buffer{}}
	s.accounts, err = users.Open(t.Context(), s.path, s.hasher)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.accounts.Close() })
	s.app, s.url = s.serve(t, every, now)
	return s
}

// serve starts a server of the site.
func (s *site) serve(t *testing.T, every time.Duration, now func() time.Time) (app *web.App, url string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	back, err := client.ParseHosts([]string{"example.com", "*.example.com", "http://127.0.0.1:3000"})
	if err != nil {
		t.Fatal(err)
	}
	app, err = web.New(web.Config{
		Session: session.Config{
			Secrets: []string{"a secret for the tests alone"},
			Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAuto},
			Store:   s.sessions,
			Logger:  log,
			Now:     now,
		},
		Users:   s.accounts,
		Guard:   throttle.NewGuard(s.clock.now),
		Proxies: client.Proxies{netip.MustParsePrefix("127.0.0.1/32")}, // the tests, which act for any client
		Back:    back,
		Logger:  log,

		ListInterval: every,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return app, server.URL
}

// browser keeps cookies and has one address.
type browser struct {
	*site
	jar     http.CookieJar
	headers http.Header
}

// program returns a client that asks for JSON, as curl does.
func (s *site) program() *browser {
	s.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	return &browser{s, jar, http.Header{"Accept": {"*/*"}, "X-Forwarded-For": {"192.0.2.1"}}}
}

// person returns a client that asks for pages, as Chromium does.
func (s *site) person() *browser {
	s.Helper()
	b := s.program()
	b.headers.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8")
	return b
}

// from changes the client's address.
func (b *browser) from(address string) *browser {
	other := *b
	other.headers = b.headers.Clone()
	other.headers.Set("X-Forwarded-For", address)
	return &other
}

type answer struct {
	*http.Response
	body string
}

// send makes a request and follows no redirect. The body is a form (url.Values),
// text that is sent as JSON, or nothing.
func (b *browser) send(method, path string, body any) answer {
	b.Helper()
	var reader io.Reader
	kind := ""
	switch body := body.(type) {
	case url.Values:
		reader, kind = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	case string:
		reader, kind = strings.NewReader(body), "application/json"
	}
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, reader)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = b.headers.Clone()
	if kind != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", kind)
	}
	return b.roundTrip(r)
}

func (b *browser) roundTrip(r *http.Request) answer {
	b.Helper()
	c := http.Client{Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := c.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{response, string(text)}
}

func credentials(name, password string) url.Values {
	return url.Values{"username": {name}, "password": {password}}
}

func (b *browser) register(name, password string) answer {
	b.Helper()
	return b.send(http.MethodPost, "/register", credentials(name, password))
}

func (b *browser) login(name, password string) answer {
	b.Helper()
	return b.send(http.MethodPost, "/login", credentials(name, password))
}

// sid returns the session's cookie, or "".
func (b *browser) sid() string {
	b.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range b.jar.Cookies(u) {
		if c.Name == "sid" {
			return c.Value
		}
	}
	return ""
}

// loggedIn reports whether a session's cookie belongs to a logged-in user.
func (s *site) loggedIn(sid string) bool {
	s.Helper()
	b := s.program()
	b.headers.Set("Cookie", "sid="+sid)
	return b.send(http.MethodGet, "/me", nil).StatusCode == http.StatusOK
}

func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: the answer does not say %q: %s", a.Request.Method, a.Request.URL.Path, text, a.body)
		}
	}
	return a
}

// field returns a problem's text for a field.
func (a answer) field(t *testing.T, name string) string {
	t.Helper()
	var p struct{ Fields map[string]string }
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return p.Fields[name]
}

// hasher counts hashes, and may run a function in the middle of one.
type hasher struct {
	*passwords.Hasher
	verifications, hashes atomic.Int64
	verified              atomic.Pointer[func()] // after the password was found right or wrong
	hashed                atomic.Pointer[func()] // after a new one was hashed
	busy                  atomic.Bool
}

func (h *hasher) Hash(ctx context.Context, password string) (string, error) {
	h.hashes.Add(1)
	if h.busy.Load() {
		return "", passwords.ErrBusy
	}
	phc, err := h.Hasher.Hash(ctx, password)
	if f := h.hashed.Swap(nil); f != nil {
		(*f)()
	}
	return phc, err
}

func (h *hasher) Verify(ctx context.Context, password, phc string) (match, outdated bool, err error) {
	h.verifications.Add(1)
	if h.busy.Load() {
		return false, false, passwords.ErrBusy
	}
	match, outdated, err = h.Hasher.Verify(ctx, password, phc)
	if f := h.verified.Swap(nil); f != nil {
		(*f)()
	}
	return match, outdated, err
}

// clock does not move until a test moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
