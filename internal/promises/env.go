// Package promises tests promises 13 to 20, and what is kept of devices, on any store, without and under the preset
// for express-session. It is for tests: the root module runs it in memory, and other
// modules on the servers that they start.
//
// Each participant has its own manager, like a node.
package promises

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// Env describes the store on which the promises are tested.
type Env struct {
	// Store returns a store for one test, with no sessions in it.
	Store func(t *testing.T) store.Store
	// Node returns what a node has in front of that store, such as a cache. Nil: nothing.
	Node func(t *testing.T, s store.Store) store.Store
	// Express runs the managers under the preset.
	Express bool
	// Seal is Config.Seal of the managers.
	Seal session.Seal
	// Sample says that in every second case a crowd is small, for a store that takes long.
	Sample bool
}

const secret = "a secret for tests, of more than 32 bytes"

type data struct {
	User string         `json:"user,omitempty"`
	Cart map[string]int `json:"cart,omitempty"`
}

type (
	manager = session.Manager[data]
	current = session.Session[data]
	action  = func(t *testing.T, m *manager, r *http.Request, s *current)
)

// world is one store, two nodes that use it, and the events that they report.
type world struct {
	t     *testing.T
	env   Env
	store store.Store
	cfg   session.Config
	a, b  *manager

	mu     sync.Mutex
	now    time.Time
	events []session.Event
}

// begin makes a world. change may change the configuration of both nodes.
func begin(t *testing.T, env Env, change func(*session.Config)) *world {
	t.Helper()
	w := &world{t: t, env: env, store: env.Store(t), now: time.Now().Truncate(time.Second)}
	w.cfg = session.Config{Secrets: []string{secret}}
	if env.Express {
		w.cfg = express.Config(secret)
		w.cfg.Cookie.SameSite = session.SameSiteLax
	}
	w.cfg.Seal = env.Seal
	w.cfg.StoreLimits.LoadTimeout, w.cfg.StoreLimits.SaveTimeout = 10*time.Minute, 10*time.Minute // a busy machine is no failure
	w.cfg.Cookie.MaxAge = 48 * time.Hour
	w.cfg.StoreLimits.TouchInterval = -1 // each visit counts as a use, which is saved
	w.cfg.Store, w.cfg.Now = w.store, w.clock
	w.cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	w.cfg.OnEvent = func(_ context.Context, e session.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	if change != nil {
		change(&w.cfg)
	}
	w.a, w.b = w.node(), w.node()
	return w
}

func (w *world) node() *manager {
	w.t.Helper()
	cfg := w.cfg
	if w.env.Node != nil {
		cfg.Store = w.env.Node(w.t, w.store)
	}
	m, err := session.New[data](cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = m.Close() })
	return m
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// take returns the events of the given kinds since its last call.
func (w *world) take(kinds ...session.EventKind) []session.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := slices.DeleteFunc(slices.Clone(w.events), func(e session.Event) bool { return !slices.Contains(kinds, e.Kind) })
	w.events = nil
	return taken
}

// browser keeps cookies as a browser does, in the order in which responses arrive.
type browser struct{ jar http.CookieJar }

func newBrowser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{jar}
}

// request returns a request with the browser's current cookies.
func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "https://shop.test/", nil)
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	return r
}

func (b *browser) receive(r *http.Request, res *http.Response) {
	b.jar.SetCookies(r.URL, res.Cookies())
}

// visit sends a request and keeps what the response sets.
func (b *browser) visit(t *testing.T, m *manager, do action) *http.Response {
	t.Helper()
	r := b.request()
	res := send(t, m, r, do)
	b.receive(r, res)
	return res
}

// send answers a request.
func send(t *testing.T, m *manager, r *http.Request, do action) *http.Response {
	t.Helper()
	rec := httptest.NewRecorder()
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *current) { do(t, m, r, s) })(rec, r)
	if rec.Code != http.StatusOK {
		t.Errorf("answered %d", rec.Code)
	}
	return rec.Result()
}

// sets returns the response's Set-Cookie field for the session's cookie.
func sets(res *http.Response) string { return strings.Join(res.Header.Values("Set-Cookie"), "\n") }

// The actions of requests.

func read(*testing.T, *manager, *http.Request, *current) {}

func touch(_ *testing.T, _ *manager, _ *http.Request, s *current) { s.Touch() }

func add(item string) action {
	return func(_ *testing.T, _ *manager, _ *http.Request, s *current) {
		s.Update(func(d *data) {
			if d.Cart == nil {
				d.Cart = map[string]int{}
			}
			d.Cart[item]++
		})
	}
}

func addAndSave(item string) action {
	return func(t *testing.T, m *manager, r *http.Request, s *current) {
		add(item)(t, m, r, s)
		_ = s.Save(r.Context()) // what it returns depends on the case
	}
}

func login(user string) action {
	return func(t *testing.T, _ *manager, r *http.Request, s *current) {
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			t.Errorf("Login: %v", err)
		}
		s.Update(func(d *data) { d.User = user })
	}
}

func regenerate(user string) action {
	return func(t *testing.T, _ *manager, r *http.Request, s *current) {
		if err := s.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		s.SetOwner("user:" + user)
		s.Update(func(d *data) { d.User = user })
	}
}

func renew(t *testing.T, _ *manager, r *http.Request, s *current) {
	if err := s.Renew(r.Context()); err != nil {
		t.Errorf("Renew: %v", err)
	}
}

func destroy(t *testing.T, _ *manager, r *http.Request, s *current) {
	if err := s.Destroy(r.Context()); err != nil {
		t.Errorf("Destroy: %v", err)
	}
}

// peek returns the data of a cookie's session, without counting as a visit.
func peek(t *testing.T, m *manager, b *browser) (d data, owner string) {
	t.Helper()
	send(t, m, b.request(), func(_ *testing.T, _ *manager, _ *http.Request, s *current) {
		d, owner = s.Data(), s.Owner()
		s.Discard()
	})
	return d, owner
}

// fork returns another browser with the same cookies, such as an attacker's.
func (b *browser) fork() *browser {
	f := newBrowser()
	r := b.request()
	f.jar.SetCookies(r.URL, b.jar.Cookies(r.URL))
	return f
}
