package devicebound_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/express"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]devicebound.Config{
		"RegisterPath": {RegisterPath: "register"},
		"RefreshPath":  {RefreshPath: devicebound.DefaultRegisterPath},
		"Lifetime":     {Lifetime: time.Minute},
		"StreamGrace":  {StreamGrace: -1},
		"Exclude":      {Exclude: []string{"/static", "/"}},
		"Origin":       {Origin: "https://shop.example/"},
	} {
		m, err := session.New[account](session.Config{Secrets: []string{secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := devicebound.New(m, cfg); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, path := range []string{"/a?b", "/a\"b", "/a b", "/a;é", "\\a", "/a#b"} {
		m, err := session.New[account](session.Config{Secrets: []string{secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := devicebound.New(m, devicebound.Config{RegisterPath: path}); err == nil {
			t.Errorf("the path %q is accepted", path)
		}
	}
}

// The application's own page, paths and cookie name.
func TestOwnSettings(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Name: "__Host-shop", Cookie: session.Cookie{Secure: session.SecureAlways}}, devicebound.Config{
		RegisterPath: "/auth/key", RefreshPath: "/auth/proof", Overlap: -1, Lifetime: 5 * time.Minute,
		Refused: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "our page")
		}),
	})
	b := newBrowser(t, c)
	login(t, n, b)
	if n.binding.CookieName() != "__Host-shop-bound" || b.refresh != "/auth/proof" || !b.has() {
		t.Errorf("%s, %s, %v", n.binding.CookieName(), b.refresh, b.cookies)
	}
	thief := b.thief()
	b.prove(n)
	res := thief.send(n, thief.request("GET", "/page"))
	wantStatus(t, "the thief, without an overlap", res, http.StatusUnauthorized)
	if got := text(t, res); got != "our page" {
		t.Errorf("the page is %q", got)
	}
	c.pass(5 * time.Minute)
	r := b.request("GET", "/page")
	r.Header.Set("Secure-Session-Skipped", `quota_exceeded;session_identifier="__Host-shop-bound"`)
	wantStatus(t, "a browser without a signature left", b.send(n, r), http.StatusUnauthorized)
	if e, _ := n.last(devicebound.EventRefused); e.Skipped != "quota_exceeded" || e.Reason != devicebound.ReasonNoProof {
		t.Errorf("the event is %+v", e)
	}
}

// A session that several hosts share cannot be bound: the others would refuse it.
func TestACookieWithADomain(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Cookie: session.Cookie{Domain: "shop.test"}}, devicebound.Config{})
	b := newBrowser(t, c)
	wantStatus(t, "the login", b.visit(n, "/login"), http.StatusSeeOther)
	if e, _ := n.last(devicebound.EventNotRegistered); e.Reason != devicebound.ReasonDomain || b.key != nil {
		t.Errorf("the event is %+v", e)
	}
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
}

// A session cookie that the browser does not send to the path for keys.
func TestACookieOfAnotherPath(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Cookie: session.Cookie{Path: "/login"}}, devicebound.Config{})
	b := newBrowser(t, c)
	wantStatus(t, "the login", b.visit(n, "/login"), http.StatusSeeOther)
	if e, _ := n.last(devicebound.EventNotRegistered); e.Reason != devicebound.ReasonPath || b.key != nil {
		t.Errorf("the event is %+v", e)
	}
	n = newNode(t, c, session.Config{Cookie: session.Cookie{Path: "/login"}}, devicebound.Config{RegisterPath: "/login/key", RefreshPath: "/login/proof"})
	b = newBrowser(t, c)
	if b.visit(n, "/login"); b.key == nil {
		t.Error("no key was registered beneath the path")
	}
}

// The bound cookie of a session whose pages stand in frames of other sites goes there too.
func TestInFramesOfOtherSites(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Cookie: session.Cookie{SameSite: session.SameSiteNone, Secure: session.SecureAlways}}, devicebound.Config{})
	b := newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	res := b.register(n, field)
	if line := strings.Join(res.Header["Set-Cookie"], "\n"); !strings.Contains(line, "-bound=") || !strings.Contains(line, "SameSite=None") {
		t.Errorf("the cookies are %s", line)
	}
}

// Frameworks that call Open get an error that writes the response, and a handler of Handler is
// refused too, whatever it writes.
func TestEveryWayToASessionIsRefused(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	c.pass(time.Minute)
	thief := without(b, n.binding.CookieName())
	_, err := n.sessions.Open(thief.request("GET", "/page"))
	page, ok := err.(http.Handler)
	if !ok || !isRefused(err) {
		t.Fatalf("Open returns %v", err)
	}
	wantStatus(t, "the error", newBrowser(t, c).send(page, thief.request("GET", "/page")), http.StatusUnauthorized)
	wantStatus(t, "Handler", thief.send(n.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := n.sessions.From(r.Context()); ok {
			t.Errorf("the handler got the session of %q", s.Owner())
		}
		_, _ = io.WriteString(w, "a page")
	})), thief.request("GET", "/page")), http.StatusUnauthorized)
	wantStatus(t, "a page without a session", thief.send(n, thief.request("GET", "/nothing")), http.StatusOK)
}

// Node keeps the note as it keeps the other bookkeeping, so the preset for express-session can
// bind sessions too.
func TestBesideExpressSession(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, express.Config(secret), devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	wantStatus(t, "Renew", b.visit(n, "/renew"), http.StatusOK)
	for range 3 {
		c.pass(10 * time.Minute)
		wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
	}
	thief := without(b, n.binding.CookieName())
	c.pass(time.Minute)
	wantStatus(t, "a thief", thief.send(n, thief.request("GET", "/page")), http.StatusUnauthorized)
	if b.signed != 3 || !n.bound(t, "user:1") {
		t.Errorf("signed %d times", b.signed)
	}
}

// A page of a bound session, and the same without a binding.
func BenchmarkPage(bench *testing.B) {
	c := newClock()
	n := newNode(bench, c, session.Config{}, devicebound.Config{})
	b := newBrowser(bench, c)
	b.visit(n, "/login")
	b.visit(n, "/page")
	unbound := newBrowser(bench, c)
	unbound.send(n, unbound.request("GET", "/other"))
	off := newNode(bench, c, session.Config{}, devicebound.Config{Off: true})
	plain := newBrowser(bench, c)
	plain.visit(off, "/login")
	for _, one := range []struct {
		name string
		n    *node
		b    *browser
	}{{"bound", n, b}, {"without a key", n, unbound}, {"off", off, plain}} {
		bench.Run(one.name, func(bench *testing.B) {
			r := one.b.request("GET", "/read")
			bench.ReportAllocs()
			for bench.Loop() {
				w := httptest.NewRecorder()
				if one.n.ServeHTTP(w, r); w.Code != http.StatusOK {
					bench.Fatal(w.Code)
				}
			}
		})
	}
}
