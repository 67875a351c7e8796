package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// shop and office are two sessions of one application.
type (
	shop struct {
		Items []string `json:"items"`
	}
	office struct{ User string }
)

func twoManagers(t *testing.T, a, b session.Config) (*session.Manager[shop], *session.Manager[office]) {
	t.Helper()
	a.Name, b.Name = "shop", "office"
	return newManager[shop](t, a), newManager[office](t, b)
}

func TestSeveralManagersSideBySide(t *testing.T) {
	t.Parallel()
	shared := newHooked(t) // they may even share a store
	m, n := twoManagers(t, session.Config{Store: shared}, session.Config{Store: shared, Cookie: session.Cookie{Path: "/office"}})
	b := newBrowser()
	buy := m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[shop]) {
		s.Update(func(d *shop) { d.Items = append(d.Items, "book") })
		if _, ok := n.From(r.Context()); ok {
			t.Error("the other manager found a session in its neighbour's request")
		}
		if _, err := n.Load(r.Context()); !errors.Is(err, session.ErrNoHandler) {
			t.Errorf("Load: %v, want ErrNoHandler", err)
		}
	})
	work := n.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[office]) {
		s.Update(func(d *office) { d.User = "ada" })
	})
	b.visit(buy, "/")
	b.visit(work, "/office")
	b.visit(buy, "/")
	if len(b.cookies) != 2 || len(records(t, shared)) != 2 {
		t.Errorf("%d cookies, %d records", len(b.cookies), len(records(t, shared)))
	}
	if got := len(peek(m, b).Items); got != 2 {
		t.Errorf("%d items, want 2", got)
	}
	b.visit(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[shop]) { _ = s.Destroy(r.Context()) }), "/")
	if len(b.cookies) != 1 || len(records(t, shared)) != 1 {
		t.Errorf("after one logout %d cookies, %d records", len(b.cookies), len(records(t, shared)))
	}
}

// A cookie of one manager is nothing to another, even under the same name, unless
// they share secret and store.
func TestManagersDoNotTakeEachOthersCookies(t *testing.T) {
	t.Parallel()
	mem := memstore.New(memstore.Config{})
	a := newManager[account](t, session.Config{Store: mem})
	b := newBrowser()
	login(t, a, b, "ada")
	for name, c := range map[string]struct {
		cfg  session.Config
		want string
	}{
		"the same of both": {session.Config{Store: mem}, "ada"},
		"another store":    {session.Config{}, ""},
		"another secret":   {session.Config{Store: mem, Secrets: []string{"another secret of enough bytes"}}, ""},
		"another name":     {session.Config{Store: mem, Name: "other"}, ""},
		"plain ids":        {session.Config{Store: mem, Express: session.ExpressOptions{InsecurePlainIDs: true}}, ""},
	} {
		if who := whoami(newManager[account](t, c.cfg), b); who != c.want {
			t.Errorf("%s: logged in as %q, want %q", name, who, c.want)
		}
	}
}

// both changes both sessions of a chain and writes a page.
func both(t *testing.T, m *session.Manager[shop], n *session.Manager[office]) http.Handler {
	return m.Handler(n.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := m.From(r.Context())
		b, found := n.From(r.Context())
		if !ok || !found {
			t.Errorf("sessions found: %v, %v", ok, found)
			return
		}
		a.Update(func(d *shop) { d.Items = append(d.Items, "book") })
		b.Update(func(d *office) { d.User = "ada" })
		w.Header().Set("X-From", "the handler")
		fmt.Fprint(w, "the page")
	})))
}

func TestTwoLayersInOneChain(t *testing.T) {
	t.Parallel()
	m, n := twoManagers(t, session.Config{}, session.Config{})
	b := newBrowser()
	for i := range 2 {
		if got := body(t, b.visit(both(t, m, n), "/")); got != "the page" {
			t.Errorf("answered %q", got)
		}
		if got := len(peek(m, b).Items); got != i+1 || peek(n, b).User != "ada" {
			t.Errorf("%d items for %q", got, peek(n, b).User)
		}
	}
	if len(b.cookies) != 2 {
		t.Errorf("cookies: %v", b.cookies)
	}
	// Changes after the header are saved in both as well.
	b.visit(m.Handler(n.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _ := m.From(r.Context())
		o, _ := n.From(r.Context())
		w.(http.Flusher).Flush()
		a.Update(func(d *shop) { d.Items = nil })
		o.Update(func(d *office) { d.User = "bob" })
	}))), "/")
	if got := len(peek(m, b).Items); got != 0 || peek(n, b).User != "bob" {
		t.Errorf("%d items for %q", got, peek(n, b).User)
	}
}

// If one of two layers cannot save, the client gets one error response alone, and of
// the layer that failed no cookie.
func TestTwoLayersOneOfWhichFails(t *testing.T) {
	t.Parallel()
	for _, outer := range []bool{true, false} {
		t.Run(fmt.Sprintf("the outer %v", outer), func(t *testing.T) {
			t.Parallel()
			good, bad := newHooked(t), newHooked(t)
			bad.before = failing()
			m, n := twoManagers(t, session.Config{Store: good}, session.Config{Store: bad})
			if outer {
				m, n = twoManagers(t, session.Config{Store: bad}, session.Config{Store: good})
			}
			b := newBrowser()
			res := b.visit(both(t, m, n), "/")
			if got := body(t, res); res.StatusCode != http.StatusServiceUnavailable || got != "Service Unavailable\n" || res.Header.Get("X-From") != "" {
				t.Errorf("answered %d %q %v", res.StatusCode, got, res.Header)
			}
			for name := range b.cookies {
				if (name == "shop") == outer {
					t.Errorf("the layer that failed has set the cookie %s", name)
				}
			}
			if got := strings.Count(strings.Join(bad.calls(), " "), "create"); got != 1 {
				t.Errorf("the store that failed was asked %d times", got)
			}
		})
	}
}

// The same manager twice in a chain is one layer.
func TestTheSameManagerTwiceInAChain(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	s.calls()
	var seen []*session.Session[account]
	note := func(s *session.Session[account]) {
		seen = append(seen, s)
		s.Update(func(a *account) { a.Count++ })
	}
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _ := m.From(r.Context())
		note(first)
		m.Handler(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			note(s)
			again, _ := m.From(r.Context())
			note(again)
			fmt.Fprint(w, s.Data().Count)
		})).ServeHTTP(w, r)
	}))
	if got := body(t, b.visit(h, "/")); got != "3" {
		t.Errorf("answered %q", got)
	}
	if len(seen) != 3 || seen[0] != seen[1] || seen[1] != seen[2] {
		t.Error("the layers have sessions of their own")
	}
	if got := strings.Join(s.calls(), " "); got != "load update" {
		t.Errorf("calls of the store: %s", got)
	}
}

// HandlerFunc finds the session that Handler or another HandlerFunc has opened, and
// what stands between them sees the response pass.
func TestHandlerFuncWithinHandler(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	between := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Between", "yes")
			next.ServeHTTP(w, r)
		})
	}
	res := b.visit(m.Handler(between(m.HandlerFunc(storing))), "/")
	if res.Header.Get("X-Between") != "yes" || len(res.Cookies()) != 1 || peek(m, b).Count != 1 {
		t.Errorf("header %v, count %d", res.Header, peek(m, b).Count)
	}
	if _, ok := m.From(t.Context()); ok {
		t.Error("From found a session without a request")
	}
	if _, err := m.Load(t.Context()); !errors.Is(err, session.ErrNoHandler) {
		t.Errorf("Load: %v", err)
	}
}

// With options that are about every visit, Handler does not wait to be asked.
func TestHandlerIsEagerWhereEveryVisitCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg    session.Config
		member string // calls of the store for who has a session
		cookie bool
		fresh  string // and for a visitor
	}{
		"lazy":              {session.Config{}, "", false, ""},
		"Rolling":           {session.Config{Rolling: true}, "load update", true, ""},
		"Resave":            {session.Config{Express: session.ExpressOptions{Resave: true}}, "load update", false, ""},
		"SaveUninitialized": {session.Config{Express: session.ExpressOptions{SaveUninitialized: true}}, "load", false, "create"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			c.cfg.Store = s
			m := newManager[account](t, c.cfg)
			h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			b := newBrowser()
			login(t, m, b, "ada")
			s.calls()
			res := b.visit(h, "/")
			if got := strings.Join(s.calls(), " "); got != c.member || len(res.Cookies()) == 1 != c.cookie {
				t.Errorf("a member: calls %q, cookies %v", got, res.Cookies())
			}
			res = newBrowser().visit(h, "/")
			if got := strings.Join(s.calls(), " "); got != c.fresh || len(res.Cookies()) == 1 != (c.fresh != "") {
				t.Errorf("a visitor: calls %q, cookies %v", got, res.Cookies())
			}
			s.before = failing()
			res = b.visit(h, "/")
			if eager := name != "lazy"; (res.StatusCode == http.StatusServiceUnavailable) != eager {
				t.Errorf("with a store that is down answered %d", res.StatusCode)
			}
		})
	}
}

// Open and Commit, the seam for other frameworks, do what Handler does.
func TestOpenAndCommit(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	ses, err := m.Open(b.request("GET", "/"))
	if err != nil {
		t.Fatal(err)
	}
	ses.Update(func(a *account) { a.User = &user{Name: "ada"} })
	h := http.Header{"Set-Cookie": {"theme=dark"}}
	if err := m.Commit(t.Context(), ses, h); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if len(h["Set-Cookie"]) != 2 || h["Set-Cookie"][0] != "theme=dark" {
		t.Errorf("header %v", h)
	}
	ses.Update(func(a *account) { a.Count++ })
	if err := m.Commit(t.Context(), ses, nil); err != nil {
		t.Errorf("Commit after the header: %v", err)
	}
	b.receive(&http.Response{Header: http.Header{"Set-Cookie": h["Set-Cookie"][1:]}})
	if got := peek(m, b); got.Count != 1 || got.name() != "ada" {
		t.Errorf("stored %+v", got)
	}
	ses, err = m.Open(b.request("GET", "/"))
	if err != nil {
		t.Fatal(err)
	}
	ses.Update(func(a *account) { a.Count++ })
	s.before = failing("update")
	if err := m.Commit(t.Context(), ses, http.Header{}); !errors.Is(err, errDown) {
		t.Errorf("Commit with a store that is down: %v", err)
	}
	s.before = failing("load")
	if ses, err := m.Open(b.request("GET", "/")); ses != nil || !errors.Is(err, errDown) {
		t.Errorf("Open with a store that is down: %v, %v", ses, err)
	}
}

// Where every visit counts, a store that is down keeps the handler from running, and a
// path that the cookie does not reach does not.
func TestAnEagerHandlerAndItsLimits(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, Rolling: true, Cookie: session.Cookie{Path: "/app"}})
	b := newBrowser()
	b.visit(m.HandlerFunc(storing), "/app")
	ran := false
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ran = true
		fmt.Fprint(w, "the page")
	}))
	if got := body(t, b.visit(h, "/elsewhere")); got != "the page" {
		t.Errorf("outside of the path answered %q", got)
	}
	ran = false
	s.before = failing()
	wantErrorAlone(t, b.visit(h, "/app"), http.StatusServiceUnavailable)
	if ran {
		t.Error("the handler ran without the store")
	}
}

// A session that is first asked for when the headers are sent is there nevertheless:
// what can still be done for it is done at the end.
func TestFromAfterTheHeader(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{TouchInterval: -1}, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	after := func(does func(*session.Session[account], *http.Request)) http.Handler {
		return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			s, ok := m.From(r.Context())
			if !ok {
				t.Error("no session")
				return
			}
			does(s, r)
		}))
	}
	for _, c := range []struct {
		want string
		does func(*session.Session[account], *http.Request)
	}{
		{"load update", func(s *session.Session[account], _ *http.Request) { s.Update(func(a *account) { a.Count++ }) }},
		{"load touch", func(*session.Session[account], *http.Request) {}},
		{"load", func(s *session.Session[account], r *http.Request) {
			if err := s.Renew(r.Context()); !errors.Is(err, session.ErrHeaderSent) {
				t.Errorf("Renew: %v", err)
			}
			if err := s.Regenerate(r.Context()); !errors.Is(err, session.ErrHeaderSent) {
				t.Errorf("Regenerate: %v", err)
			}
			s.Discard()
		}},
	} {
		s.calls()
		b.visit(after(c.does), "/")
		if got := strings.Join(s.calls(), " "); got != c.want {
			t.Errorf("calls of the store: %s, want %s", got, c.want)
		}
	}
	if got := peek(m, b); got.Count != 1 || got.name() != "ada" {
		t.Errorf("stored %+v", got)
	}
	log.take()
	newBrowser().visit(after(func(s *session.Session[account], _ *http.Request) { s.Update(func(a *account) { a.Count++ }) }), "/")
	if got := log.kinds(); got != "dropped: header already sent" || len(records(t, s)) != 1 {
		t.Errorf("a visitor: events %q, %d records", got, len(records(t, s)))
	}
	// A store that is down cannot be told to the client any more, and is reported.
	s.before = failing()
	res := b.visit(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the page")
		if _, ok := m.From(r.Context()); ok {
			t.Error("From found a session")
		}
		fmt.Fprint(w, ", all of it")
	})), "/")
	if got := body(t, res); got != "the page, all of it" || log.kinds() != "load failed" {
		t.Errorf("answered %q", got)
	}
}
