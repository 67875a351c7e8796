package devicebound_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store/memstore"
)

// A page of another site that makes the browser post to the path of proofs does not end its
// cookie. Otherwise it could use up the browser's signatures.
func TestAnotherSiteAsksForAProof(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Cookie: session.Cookie{SameSite: session.SameSiteNone}}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	for _, from := range []string{"cross-site", "same-site"} {
		r := b.request("POST", b.refresh)
		r.Header.Set("Sec-Fetch-Site", from)
		wantStatus(t, from, b.send(n, r), http.StatusForbidden)
		wantStatus(t, "the owner after "+from, b.visit(n, "/page"), http.StatusOK)
	}
	if b.signed != 0 {
		t.Errorf("the browser has signed %d times", b.signed)
	}
	r := b.request("POST", b.refresh)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	wantStatus(t, "the own site", n.answer(r), http.StatusForbidden)
	wantStatus(t, "the cookie afterwards", n.answer(b.request("GET", "/page")), http.StatusUnauthorized)
}

// What a client writes in front of the path does not choose whether it needs a proof.
func TestExcludedPathsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{Exclude: []string{"/static"}})
	b := newBrowser(t, c)
	login(t, n, b)
	c.pass(time.Minute)
	lost := without(b, n.binding.CookieName())
	for uri, want := range map[string]int{
		"https://shop.test/app/static/a.css":         http.StatusUnauthorized,
		"https://shop.test/static/a.css":             http.StatusOK,
		"https://shop.test/static/../app/static/a":   http.StatusUnauthorized,
		"//shop.test/static/a.css":                   http.StatusUnauthorized,
		"/app/static/a.css":                          http.StatusUnauthorized,
		"/static/..%2fapp/static/a.css":              http.StatusUnauthorized,
		"/static%2fa.css":                            http.StatusOK,
		"/static/a.css?next=/../../app":              http.StatusOK,
		"/static/a.css#/../../app/static/secret.css": http.StatusUnauthorized,
	} {
		r := lost.request("GET", "/static/a.css") // what http.StripPrefix leaves of /app/static/a.css
		r.RequestURI = uri
		wantStatus(t, uri, n.answer(r), want)
	}
}

// A session that is bound takes the token in a header only together with the bound cookie: a
// client without the browser's key cannot use what it has found in the jar in another way.
func TestATokenOfABoundSession(t *testing.T) {
	t.Parallel()
	for _, use := range []session.HeaderUse{session.HeaderWins, session.CookieWins} {
		c := newClock()
		n := newNode(t, c, session.Config{Header: session.Header{Use: use, Response: "X-Session-Token"}}, devicebound.Config{})
		b := newBrowser(t, c)
		login(t, n, b)
		c.pass(time.Minute)
		token := ""
		n.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *sess) {
			var err error
			if token, err = s.Token(r.Context()); err != nil {
				t.Error(err)
			}
		})(httptest.NewRecorder(), b.request("GET", "/token"))
		for _, path := range []string{"/read", "/renew", devicebound.DefaultRefreshPath} {
			r := newBrowser(t, c).request("POST", path)
			r.Header.Set("Authorization", "Bearer "+token)
			want := http.StatusUnauthorized
			if path == devicebound.DefaultRefreshPath {
				want = http.StatusForbidden
			}
			res := n.answer(r)
			wantStatus(t, fmt.Sprint(use, path), res, want)
			if res.Header.Get("X-Session-Token") != "" {
				t.Errorf("%s: the client without a proof gets a token", path)
			}
		}
		wantStatus(t, "the owner", b.visit(n, "/read"), http.StatusOK)

		// An app logs in by its header, and has no key: its session goes on.
		app := newBrowser(t, c).request("GET", "/other")
		app.Header.Set("Authorization", "Bearer")
		token = n.answer(app).Header.Get("X-Session-Token")
		app = newBrowser(t, c).request("GET", "/read")
		app.Header.Set("Authorization", "Bearer "+token)
		c.pass(time.Hour)
		res := n.answer(app)
		wantStatus(t, "an app", res, http.StatusOK)
		if got := text(t, res); got != "user:2 0" {
			t.Errorf("the app's session is that of %q", got)
		}
	}
}

// The key is bookkeeping, so binding works with sealed data, and with a limit of sessions.
func TestBoundWithSealedDataAndALimit(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]session.OwnerLimit{"EndOldest": session.EndOldest(1), "RefuseLogin": session.RefuseLogin(1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			n := newNode(t, c, session.Config{Seal: session.SealOnly, MaxPerOwner: limit}, devicebound.Config{})
			b := newBrowser(t, c)
			login(t, n, b)
			c.pass(10 * time.Minute)
			wantStatus(t, "after Renew", b.visit(n, "/renew"), http.StatusOK)
			c.pass(10 * time.Minute)
			if got := text(t, b.visit(n, "/read")); got != "user:1 1" {
				t.Errorf("the session is %q", got)
			}
			wantStatus(t, "without a proof", n.answer(without(b, n.binding.CookieName()).request("GET", "/read")), http.StatusUnauthorized)
			second := newBrowser(t, c)
			res := second.visit(n, "/login")
			if name == "RefuseLogin" {
				if res.StatusCode == http.StatusSeeOther || second.key != nil || res.Header.Get("Secure-Session-Registration") != "" {
					t.Errorf("a login that is refused is answered %d, with %v", res.StatusCode, res.Header)
				}
				wantStatus(t, "the first", b.visit(n, "/read"), http.StatusOK)
				return
			}
			wantStatus(t, "the second", second.visit(n, "/page"), http.StatusOK)
			c.pass(10 * time.Minute)
			if got := text(t, b.visit(n, "/read")); got != " 0" || b.key != nil {
				t.Errorf("the session that the limit has ended is %q", got)
			}
			wantStatus(t, "the second", second.visit(n, "/page"), http.StatusOK)
		})
	}
}

// The secret that has signed the bound cookie and the challenge is removed, before the browser
// has got others. The browser proves its key once more, and the session stays bound.
func TestASecretIsRemoved(t *testing.T) {
	t.Parallel()
	const other = "another secret for tests, of 32 bytes"
	c := newClock()
	backend := memstore.New(memstore.Config{Now: c.now})
	with := func(secrets ...string) *node {
		return newNode(t, c, session.Config{Store: backend, Secrets: secrets}, devicebound.Config{})
	}
	b := newBrowser(t, c)
	login(t, with(secret), b)
	wantStatus(t, "both secrets", b.visit(with(other, secret), "/page"), http.StatusOK) // the session cookie is signed anew
	n := with(other)
	c.pass(time.Minute)
	wantStatus(t, "the old bound cookie", b.visit(n, "/page"), http.StatusUnauthorized)
	wantStatus(t, "the owner, then", b.visit(n, "/page"), http.StatusOK)
	if b.signed != 2 || !n.bound(t, "user:1") {
		t.Errorf("signed %d times", b.signed)
	}
	wantStatus(t, "without a proof", n.answer(without(b, n.binding.CookieName()).request("GET", "/read")), http.StatusUnauthorized)
}

// The bound cookie is of one host, of all paths and of HTTPS, and no script reads it.
func TestTheBoundCookieOnTheWire(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]session.Config{
		"__Host-sid-bound=V; Max-Age=570; Path=/; Secure; HttpOnly; SameSite=Lax":  {},
		"__Host-sid-bound=V; Max-Age=570; Path=/; Secure; HttpOnly; SameSite=None": {Cookie: session.Cookie{SameSite: session.SameSiteNone}},
		"__Host-app-bound=V; Max-Age=570; Path=/; Secure; HttpOnly; SameSite=Lax":  {Name: "__Secure-app", Cookie: session.Cookie{Path: "/dbsc", SameSite: session.SameSiteStrict}},
	} {
		c := newClock()
		n := newNode(t, c, cfg, devicebound.Config{})
		b := newBrowser(t, c)
		r := b.request("GET", "/dbsc/login")
		w := httptest.NewRecorder()
		n.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *sess) {
			if err := s.Login(r.Context(), "user:1"); err != nil {
				t.Error(err)
			}
		})(w, r)
		res := b.receive(w.Result())
		got := b.register(n, res.Header.Get("Secure-Session-Registration"))
		wantStatus(t, want, got, http.StatusOK)
		var lines []string
		for _, line := range got.Header["Set-Cookie"] {
			if name, rest, _ := strings.Cut(line, "="); name == n.binding.CookieName() {
				_, attributes, _ := strings.Cut(rest, ";")
				lines = append(lines, name+"=V;"+attributes)
			}
		}
		if len(lines) != 1 || lines[0] != want {
			t.Errorf("the cookie is %q, want %q", lines, want)
		}
	}
}
