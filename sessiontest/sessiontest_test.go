package sessiontest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/sessiontest"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type account struct {
	User  string   `json:"user,omitempty"`
	Roles []string `json:"roles,omitempty"`
}

var ada = account{User: "Ada", Roles: []string{"admin"}}

// manager makes one as an application would.
func manager(t *testing.T, cfg session.Config) *session.Manager[account] {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{"a secret of the application's"}
	}
	m, err := session.New[account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// serve sends r to a handler behind the manager.
func serve(m *session.Manager[account], r *http.Request, h func(*session.Session[account])) *http.Response {
	w := httptest.NewRecorder()
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { h(s) })(w, r)
	return w.Result()
}

func nothing(*session.Session[account]) {}

func TestNew(t *testing.T) {
	t.Parallel()
	s := sessiontest.New(t, ada)
	if got := s.Data(); !reflect.DeepEqual(got, ada) {
		t.Errorf("data are %+v, want %+v", got, ada)
	}
	if s.IsNew() || s.ID() == "" || s.Owner() != "" {
		t.Errorf("new: %v, id: %q, owner: %q; want a stored session of nobody's", s.IsNew(), s.ID(), s.Owner())
	}
	if other := sessiontest.New(t, ada); other.ID() == s.ID() {
		t.Error("two sessions have one id")
	}
}

// All that a handler can do with its session works, and each step sees the results of the earlier
// ones.
func TestNewTakesAllMethods(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := sessiontest.New(t, ada)
	steps := []struct {
		name string
		do   func() error
		want account
	}{
		{"Update and Save", func() error { s.Update(func(a *account) { a.User = "Grace" }); return s.Save(ctx) }, account{User: "Grace", Roles: ada.Roles}},
		{"Reload", func() error { s.Update(func(a *account) { a.User = "" }); return s.Reload(ctx) }, account{User: "Grace", Roles: ada.Roles}},
		{"Renew", func() error { return s.Renew(ctx) }, account{User: "Grace", Roles: ada.Roles}},
		{"Regenerate", func() error { return s.Regenerate(ctx) }, account{}},
		{"Save", func() error { s.Update(func(a *account) { a.User = "Ada" }); return s.Save(ctx) }, account{User: "Ada"}},
		{"Destroy", func() error { return s.Destroy(ctx) }, account{}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := s.Data(); !reflect.DeepEqual(got, step.want) {
			t.Fatalf("after %s the data are %+v, want %+v", step.name, got, step.want)
		}
	}
}

func TestNewFindsWhatCannotBeRepeated(t *testing.T) {
	t.Parallel()
	s, calls := sessiontest.New(t, ada), 0
	s.Update(func(a *account) {
		calls++
		a.Roles = make([]string, calls)
	})
	if err := s.Save(t.Context()); !errors.Is(err, session.ErrUnrepeatable) {
		t.Errorf("Save: %v, want ErrUnrepeatable", err)
	}
}

// loggedTest is a test whose output can be read.
type loggedTest struct {
	testing.TB
	out strings.Builder
}

func (l *loggedTest) Output() io.Writer { return &l.out }

// The log messages that an operator would get are in the output of the test, and not mixed with
// those of others.
func TestNewLogsToTheTest(t *testing.T) {
	t.Parallel()
	l := &loggedTest{TB: t}
	s, calls := sessiontest.New(l, ada), 0
	s.Update(func(a *account) {
		calls++
		a.Roles = make([]string, calls)
	})
	if err := s.Save(t.Context()); err == nil || !strings.Contains(l.out.String(), "save failed") {
		t.Errorf("Save: %v; the test's output is %q", err, &l.out)
	}
}

func TestNewOfMap(t *testing.T) {
	t.Parallel()
	s := sessiontest.New(t, map[string]any{"user": "Ada"})
	session.Put(s, "visits", 1)
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if user, _ := session.Value[string](s, "user"); user != "Ada" || len(s.Data()) != 2 {
		t.Errorf("data are %v", s.Data())
	}

	empty := sessiontest.New[map[string]any](t, nil)
	session.Put(empty, "user", "Ada")
	if empty.Data()["user"] != "Ada" {
		t.Errorf("a session of no map at all takes no keys: %v", empty.Data())
	}
}

// The store of New's session ends with the test that called New.
func TestNewEndsWithTheTest(t *testing.T) {
	t.Parallel()
	var s *session.Session[account]
	t.Run("inner", func(t *testing.T) { s = sessiontest.New(t, ada) })
	if err := s.Save(context.Background()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Save after the test: %v, want %v", err, store.ErrClosed)
	}
}

// configs are managers as applications have them, each with a request that its
// browsers send.
func configs() map[string]struct {
	cfg session.Config
	url string
} {
	preset := express.Config("keyboard cat")
	rolling := express.Config("keyboard cat")
	rolling.Rolling, rolling.Express.Resave, rolling.Express.SaveUninitialized = true, true, true
	rolling.Cookie.MaxAge = time.Hour
	day := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	type row = struct {
		cfg session.Config
		url string
	}
	return map[string]row{
		"defaults":            {session.Config{}, "https://example.com/"},
		"with a path":         {session.Config{Cookie: session.Cookie{Path: "/shop"}}, "https://example.com/shop/cart?of=today"},
		"with a domain":       {session.Config{Cookie: session.Cookie{Domain: "example.com"}}, "https://www.example.com/"},
		"with a name":         {session.Config{Name: "__Host-shop"}, "https://example.com/"},
		"SecureAuto by HTTPS": {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}, "https://example.com/"},
		"SecureAuto by HTTP":  {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}, "/"},
		"Insecure":            {session.Config{Cookie: session.Cookie{Secure: session.Insecure}}, "/"},
		"plain ids":           {session.Config{Express: session.ExpressOptions{InsecurePlainIDs: true}}, "https://example.com/"},
		"a function":          {session.Config{CookieFunc: func(r *http.Request) session.Cookie { return session.Cookie{Domain: r.Host} }}, "https://example.com/"},
		"a clock of its own":  {session.Config{Now: func() time.Time { return day }, Cookie: session.Cookie{MaxAge: time.Hour}}, "https://example.com/"},
		"express":             {preset, "/"},
		"express, and more":   {rolling, "/"},
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, c.cfg)
			r := httptest.NewRequest(http.MethodGet, c.url, nil)
			before := sessiontest.Attach(t, m, r, ada, "user:42")
			digest := ""
			serve(m, r, func(s *session.Session[account]) {
				digest = s.Digest()
				if s.IsNew() || !reflect.DeepEqual(s.Data(), ada) || s.Owner() != "user:42" {
					t.Errorf("the handler has %+v of %q, new: %v; want %+v of user:42", s.Data(), s.Owner(), s.IsNew(), ada)
				}
				s.Update(func(a *account) { a.User = "Grace" })
			})
			if before.Digest() != digest {
				t.Error("Attach returned another session than the handler's")
			}
			if err := before.Reload(t.Context()); err != nil || before.Data().User != "Grace" {
				t.Errorf("Reload: %v, %+v; want what the handler saved", err, before.Data())
			}
		})
	}
}

func TestAttachReplacesTheSession(t *testing.T) {
	t.Parallel()
	m := manager(t, session.Config{})
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	sessiontest.Attach(t, m, r, ada, "")
	sessiontest.Attach(t, m, r, account{User: "Grace"}, "")
	serve(m, r, func(s *session.Session[account]) {
		if s.Data().User != "Grace" {
			t.Errorf("the handler has %+v, want the session attached last", s.Data())
		}
	})
	if c, err := r.Cookie("theme"); err != nil || c.Value != "dark" || len(r.Cookies()) != 2 {
		t.Errorf("the request has the cookies %v; want the other one as it was", r.Cookies())
	}
}

// The session can be changed before the handler gets it.
func TestAttachedSessionCanBeChanged(t *testing.T) {
	t.Parallel()
	m := manager(t, session.Config{})
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	s := sessiontest.Attach(t, m, r, ada, "")
	s.SetMaxAge(time.Minute)
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	serve(m, r, func(s *session.Session[account]) {
		if got := s.Cookie().MaxAge; got != time.Minute {
			t.Errorf("MaxAge is %v, want a minute", got)
		}
	})
}

func TestAfter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	must := func(t *testing.T, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	tests := map[string]struct {
		anonymous bool
		handler   func(*testing.T, *session.Session[account])
		want      account
		isNew     bool
	}{
		"nothing":             {handler: func(*testing.T, *session.Session[account]) {}, want: ada},
		"nothing, and nobody": {handler: func(*testing.T, *session.Session[account]) {}, anonymous: true, isNew: true},
		"a change": {handler: func(_ *testing.T, s *session.Session[account]) {
			s.Update(func(a *account) { a.Roles = nil })
		}, want: account{User: "Ada"}},
		"a login": {handler: func(t *testing.T, s *session.Session[account]) {
			must(t, s.Regenerate(ctx))
			s.Update(func(a *account) { a.User = "Grace" })
		}, want: account{User: "Grace"}},
		"a first login": {handler: func(t *testing.T, s *session.Session[account]) {
			must(t, s.Regenerate(ctx))
			s.Update(func(a *account) { a.User = "Grace" })
		}, anonymous: true, want: account{User: "Grace"}},
		"a new id": {handler: func(t *testing.T, s *session.Session[account]) { must(t, s.Renew(ctx)) }, want: ada},
		"a logout": {handler: func(t *testing.T, s *session.Session[account]) { must(t, s.Destroy(ctx)) }, isNew: true},
		"what is discarded": {handler: func(t *testing.T, s *session.Session[account]) {
			s.Update(func(a *account) { a.User = "" })
			s.Discard()
		}, want: ada},
	}
	for name, c := range configs() {
		for what, test := range tests {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				m := manager(t, c.cfg)
				r := httptest.NewRequest(http.MethodPost, c.url, nil)
				if !test.anonymous {
					sessiontest.Attach(t, m, r, ada, "")
				}
				s := sessiontest.After(t, m, r, serve(m, r, func(s *session.Session[account]) { test.handler(t, s) }))
				isNew := test.isNew && !c.cfg.Express.SaveUninitialized || test.isNew && !test.anonymous
				if s.IsNew() != isNew || !reflect.DeepEqual(s.Data(), test.want) {
					t.Errorf("the client has %+v, new: %v; want %+v, %v", s.Data(), s.IsNew(), test.want, isNew)
				}
			})
		}
	}
}

// A test of a client that disconnects can look at what was saved.
func TestAfterTheClientHasGone(t *testing.T) {
	t.Parallel()
	m := manager(t, session.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://example.com/", nil)
	res := serve(m, r, func(s *session.Session[account]) {
		s.Update(func(a *account) { a.User = "Ada" })
		cancel()
	})
	if got := sessiontest.After(t, m, r, res).Data().User; got != "Ada" {
		t.Errorf("the client has %q, want what was saved", got)
	}
	sessiontest.Attach(t, m, r, ada, "")
}

// Several managers in one chain: each finds its own session.
func TestAfterAmongOthers(t *testing.T) {
	t.Parallel()
	shop := manager(t, session.Config{Name: "__Host-shop"})
	forum := manager(t, session.Config{Name: "__Host-forum"})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
	sessiontest.Attach(t, shop, r, ada, "")
	sessiontest.Attach(t, forum, r, account{User: "Lovelace"}, "")
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
	shop.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
		forum.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.User = "Grace" })
		})(w, r)
	})(w, r)
	if s := sessiontest.After(t, shop, r, w.Result()); !s.IsNew() {
		t.Errorf("the shop's session is %+v, want none", s.Data())
	}
	if s := sessiontest.After(t, forum, r, w.Result()); s.Data().User != "Grace" {
		t.Errorf("the forum's session is %+v, want Grace's", s.Data())
	}
	if c := sessiontest.Cookie(t, shop, w.Result()); c == nil || c.Name != "__Host-shop" || c.Value != "" {
		t.Errorf("the shop's cookie is %v, want it taken away", c)
	}
	if c := sessiontest.Cookie(t, forum, w.Result()); c != nil {
		t.Errorf("the forum sent %v, want nothing", c)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, c.cfg)
			r := httptest.NewRequest(http.MethodPost, c.url, nil)
			res := serve(m, r, func(s *session.Session[account]) { s.Update(func(a *account) { a.User = "Ada" }) })
			sent := sessiontest.Cookie(t, m, res)
			if sent == nil || sent.Value == "" {
				t.Fatalf("a new session's cookie is %v, want one", sent)
			}
			if got := res.Cookies()[0]; sent.String() != got.String() {
				t.Errorf("Cookie is %v, want %v as it was sent", sent, got)
			}
			r.AddCookie(sent)
			if c := sessiontest.Cookie(t, m, serve(m, r, nothing)); (c != nil) != (name == "express, and more") {
				t.Errorf("a visit sent %v", c)
			}
			gone := sessiontest.Cookie(t, m, serve(m, r, func(s *session.Session[account]) {
				if err := s.Destroy(context.Background()); err != nil {
					t.Error(err)
				}
			}))
			if taken := gone != nil && gone.Value == "" && gone.Name == sent.Name; taken == c.cfg.Express.KeepDeadCookie {
				t.Errorf("after the logout the cookie is %v", gone)
			}
		})
	}
}

// A cookie that was removed does not come back, not even as an empty one, which the manager would
// report.
func TestAfterALogoutThereIsNoCookie(t *testing.T) {
	t.Parallel()
	var kinds []session.EventKind
	m := manager(t, session.Config{OnEvent: func(_ context.Context, e session.Event) { kinds = append(kinds, e.Kind) }})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
	sessiontest.Attach(t, m, r, ada, "")
	sessiontest.After(t, m, r, serve(m, r, func(s *session.Session[account]) {
		if err := s.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
	}))
	if want := []session.EventKind{session.EventCreated, session.EventDestroyed}; !slices.Equal(kinds, want) {
		t.Errorf("the events are %q, want %q", kinds, want)
	}
}

// The handler's other cookies do not affect the session's.
func TestCookieOfOthers(t *testing.T) {
	t.Parallel()
	m := manager(t, session.Config{})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
	sessiontest.Attach(t, m, r, ada, "")
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "theme", MaxAge: -1})
	http.SetCookie(w, &http.Cookie{Name: "language", Value: "ko"})
	http.SetCookie(w, &http.Cookie{Name: "never-had", MaxAge: -1})
	if c := sessiontest.Cookie(t, m, w.Result()); c != nil {
		t.Errorf("Cookie is %v, want none", c)
	}
	if s := sessiontest.After(t, m, r, w.Result()); s.IsNew() {
		t.Error("another cookie took the session away")
	}
}

// Of several cookies of one name in a response, browsers keep the last.
func TestTheLastCookieCounts(t *testing.T) {
	t.Parallel()
	m := manager(t, session.Config{})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
	w := httptest.NewRecorder()
	for _, name := range []string{"Ada", "Grace"} {
		h := m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.User = name })
		})
		h(onlyHeader{w}, r)
	}
	w.WriteHeader(http.StatusNoContent)
	if got := sessiontest.After(t, m, r, w.Result()).Data().User; got != "Grace" {
		t.Errorf("the client has the session of %q, want the last one", got)
	}
	all := w.Result().Cookies()
	if c := sessiontest.Cookie(t, m, w.Result()); len(all) != 2 || c.Value != all[1].Value {
		t.Errorf("Cookie is %v, want the last of %v", c, all)
	}
}

// onlyHeader is a response whose body nobody reads.
type onlyHeader struct{ w http.ResponseWriter }

func (o onlyHeader) Header() http.Header         { return o.w.Header() }
func (o onlyHeader) Write(p []byte) (int, error) { return len(p), nil }
func (o onlyHeader) WriteHeader(int)             {}

// The store that Attach and the other functions use is the manager's own. After and Cookie only
// read it.
func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	m := manager(t, session.Config{Store: kept})
	r := httptest.NewRequest(http.MethodPost, "https://example.com/", nil)
	sessiontest.Attach(t, m, r, ada, "user:42")
	before, err := kept.Load(t.Context(), only(t, kept))
	if err != nil {
		t.Fatal(err)
	}
	sessiontest.Cookie(t, m, serve(m, r, nothing))
	sessiontest.After(t, m, r, serve(m, r, nothing))
	if after, err := kept.Load(t.Context(), only(t, kept)); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the record is %+v, %v; want it as it was", after, err)
	}
}

// only returns the key of the only record of a store.
func only(t *testing.T, kept *memstore.Store) (key string) {
	t.Helper()
	for rec, err := range kept.List(t.Context(), "") {
		if err != nil || key != "" {
			t.Fatalf("%v, or more than one record", err)
		}
		key = rec.ID
	}
	return key
}
