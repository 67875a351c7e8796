package session_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

const secret = "a secret for tests, 32 bytes or so"

// account is the data of most tests.
type account struct {
	User  *user           `json:"user,omitempty"`
	Count int             `json:"count"`
	Keys  map[string]bool `json:"keys,omitempty"`
	Tags  []string        `json:"tags,omitempty"`
}

type user struct {
	Name   string `json:"name"`
	Visits int    `json:"visits"`
}

type handler = func(http.ResponseWriter, *http.Request, *session.Session[account])

// newManager makes a manager for a test, with a secret, and silent unless cfg has
// a logger.
func newManager[T any](t testing.TB, cfg session.Config) *session.Manager[T] {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := session.New[T](cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// browser keeps the cookies of one client, as a browser does: it sends what it
// was last given, and drops what was expired.
type browser struct {
	mu      sync.Mutex
	cookies map[string]string
}

func newBrowser() *browser { return &browser{cookies: map[string]string{}} }

// request is one by HTTPS with the browser's cookies.
func (b *browser) request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "https://shop.test"+path, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) receive(res *http.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Year() < 1971 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
}

// visit sends a request to h, by GET, and takes the cookies of the response.
func (b *browser) visit(h http.Handler, path string) *http.Response {
	return b.send(h, b.request("GET", path))
}

func (b *browser) send(h http.Handler, r *http.Request) *http.Response {
	res := answer(h, r)
	b.receive(res)
	return res
}

// fork is a second browser with the same cookies: another request in flight, or
// a thief.
func (b *browser) fork() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := newBrowser()
	for name, value := range b.cookies {
		f.cookies[name] = value
	}
	return f
}

// cookie is the value of the only cookie; "" if there is none.
func (b *browser) cookie() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, value := range b.cookies {
		return value
	}
	return ""
}

func answer(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatalf("closing the response: %v", err)
	}
	return string(text)
}

// login stores a session with the user in it.
func login(t testing.TB, m *session.Manager[account], b *browser, name string) {
	t.Helper()
	res := b.visit(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		s.Update(func(a *account) { a.User = &user{Name: name} })
	}), "/login")
	if res.StatusCode != http.StatusOK || b.cookie() == "" {
		t.Fatalf("login answered %d, cookie %q", res.StatusCode, b.cookie())
	}
}

// whoami is the name of the user that the browser is logged in as, "" for nobody.
func whoami(m *session.Manager[account], b *browser) string { return peek(m, b).name() }

func (a account) name() string {
	if a.User == nil {
		return ""
	}
	return a.User.Name
}

// peek is the data that a visit of the browser sees.
func peek[T any](m *session.Manager[T], b *browser) T {
	var data T
	answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[T]) {
		data = s.Data()
		s.Discard() // looking is no use of the session
	}), b.request("GET", "/peek"))
	return data
}

// do serves one request with a handler, in the browser.
func do[T any](m *session.Manager[T], b *browser, h func(http.ResponseWriter, *http.Request, *session.Session[T])) *http.Response {
	return b.visit(m.HandlerFunc(h), "/")
}

// hooked is a store that lets a test stop, count and fail the calls of another.
// It hides the optional interfaces but for what Unwrap shows.
type hooked struct {
	inner store.Store

	// before runs before each call; its error is the call's, which is then not made.
	before func(ctx context.Context, op, id string) error
	// after runs after each call; its error replaces the call's outcome.
	after func(ctx context.Context, op, id string) error

	mu  sync.Mutex
	ops []string
}

func newHooked(t testing.TB) *hooked {
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = s.Close() })
	return &hooked{inner: s}
}

func (h *hooked) Unwrap() store.Store { return h.inner }

func (h *hooked) call(ctx context.Context, op, id string, do func() error) error {
	h.mu.Lock()
	h.ops = append(h.ops, op)
	h.mu.Unlock()
	if h.before != nil {
		if err := h.before(ctx, op, id); err != nil {
			return err
		}
	}
	err := do()
	if h.after != nil {
		if aerr := h.after(ctx, op, id); aerr != nil {
			return aerr
		}
	}
	return err
}

// calls returns the calls since it was last asked.
func (h *hooked) calls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ops := h.ops
	h.ops = nil
	return ops
}

func (h *hooked) Load(ctx context.Context, id string) (rec store.Record, err error) {
	err = h.call(ctx, "load", id, func() error { rec, err = h.inner.Load(ctx, id); return err })
	return rec, err
}

func (h *hooked) Create(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = h.call(ctx, "create", r.ID, func() error { v, err = h.inner.Create(ctx, r); return err })
	return v, err
}

func (h *hooked) Update(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = h.call(ctx, "update", r.ID, func() error { v, err = h.inner.Update(ctx, r); return err })
	return v, err
}

func (h *hooked) Touch(ctx context.Context, id string, expires time.Time) error {
	return h.call(ctx, "touch", id, func() error { return h.inner.Touch(ctx, id, expires) })
}

func (h *hooked) Delete(ctx context.Context, id string) error {
	return h.call(ctx, "delete", id, func() error { return h.inner.Delete(ctx, id) })
}

var errDown = errors.New("the store is down")

// failing makes a hook that fails the given calls; none given: all.
func failing(ops ...string) func(context.Context, string, string) error {
	return func(_ context.Context, op, _ string) error {
		if len(ops) == 0 || slices.Contains(ops, op) {
			return errDown
		}
		return nil
	}
}

// records are the records of the live sessions in a store: those that other requests
// left under the ids of ended ones are none.
func records(t testing.TB, s store.Store) []store.Record {
	t.Helper()
	l, ok := store.As[store.Lister](s)
	if !ok {
		t.Fatalf("%T does not list", s)
	}
	var all []store.Record
	for rec, err := range l.List(t.Context(), "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if !strings.Contains(string(rec.Data), `"ended":true`) {
			all = append(all, rec)
		}
	}
	return all
}

// clock is a clock that moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// journal collects events.
type journal struct {
	mu     sync.Mutex
	events []session.Event
}

func (j *journal) add(_ context.Context, e session.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

// take returns the events since it was last asked.
func (j *journal) take() []session.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.events
	j.events = nil
	return events
}

// kinds are the events since it was last asked, as "kind" or "kind: reason".
func (j *journal) kinds() string {
	var all []string
	for _, e := range j.take() {
		text := string(e.Kind)
		if e.Reason != "" {
			text += ": " + string(e.Reason)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// inBubble runs a test on a clock of its own, where waiting takes no time, and
// fails if it leaves goroutines behind.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
