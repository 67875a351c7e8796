package devicebound_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store/memstore"
)

// login logs a browser in, registers its key and shows the first proof.
func login(t testing.TB, n *node, b *browser) {
	t.Helper()
	wantStatus(t, "the login", b.visit(n, "/login"), http.StatusSeeOther)
	if b.key == nil {
		t.Fatal("no key was registered")
	}
	wantStatus(t, "the page", b.visit(n, "/page"), http.StatusOK)
	if !n.bound(t, "user:1") {
		t.Fatal("the session is not bound")
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "RS256"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			n := newNode(t, c, session.Config{}, devicebound.Config{})
			b := newBrowser(t, c)
			b.alg = alg
			wantStatus(t, "a visitor", b.visit(n, "/read"), http.StatusOK)
			login(t, n, b)
			for range 5 {
				c.pass(9*time.Minute + 45*time.Second)
				wantStatus(t, "a page later", b.visit(n, "/page"), http.StatusOK)
			}
			if b.signed != 5 {
				t.Errorf("the browser has signed %d times", b.signed)
			}
			if got := text(t, b.visit(n, "/read")); got != "user:1 6" {
				t.Errorf("the data are %q", got)
			}
			c.pass(8 * time.Hour)
			wantStatus(t, "a page after hours", b.visit(n, "/page"), http.StatusOK)
			c.pass(time.Hour)
			b.restart()
			wantStatus(t, "a page after a restart of the browser", b.visit(n, "/page"), http.StatusOK)
			stats := n.binding.Stats()
			if stats.Asked != 1 || stats.Registered != 1 || stats.Bound != 1 || stats.Refreshed != 7 || stats.NotRegistered != 0 || stats.Refused != 0 || stats.NotRefreshed != 2 {
				t.Errorf("%+v", stats)
			}
			if e, times := n.last(devicebound.EventRegistered); times != 1 || e.Owner != "user:1" || e.Digest == "" {
				t.Errorf("%d times, the last %+v", times, e)
			}
		})
	}
}

// A browser without keys goes on as before.
func TestWithoutAKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	b.send(n, b.request("GET", "/login"))
	for range 3 {
		c.pass(time.Hour)
		wantStatus(t, "a page", b.send(n, b.request("GET", "/page")), http.StatusOK)
	}
	if n.bound(t, "user:1") || n.binding.Stats().Unproven != 3 {
		t.Errorf("%+v", n.binding.Stats())
	}
}

func TestTheft(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)

	thief := b.thief()
	delete(thief.cookies, n.binding.CookieName())
	c.pass(devicebound.DefaultOverlap)
	res := thief.send(n, thief.request("GET", "/page"))
	wantStatus(t, "the session cookie alone", res, http.StatusUnauthorized)
	if e, _ := n.last(devicebound.EventRefused); e.Reason != devicebound.ReasonNoProof || e.Owner != "user:1" {
		t.Errorf("the event is %+v", e)
	}
	if len(res.Header["Set-Cookie"]) != 0 {
		t.Errorf("the refused request gets the cookies %q", res.Header["Set-Cookie"])
	}

	c.pass(5 * time.Minute)
	thief = b.thief()
	wantStatus(t, "all cookies, until the proof has expired", thief.send(n, thief.request("GET", "/read")), http.StatusOK)
	c.pass(4 * time.Minute)
	b.prove(n)
	wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
	wantStatus(t, "the old proof in flight", thief.send(n, thief.request("GET", "/read")), http.StatusOK)
	c.pass(devicebound.DefaultOverlap)
	for name := range thief.cookies {
		thief.cookies[name] = cookie{value: thief.cookies[name].value}
	}
	wantStatus(t, "the old proof", thief.send(n, thief.request("GET", "/read")), http.StatusUnauthorized)
	if e, _ := n.last(devicebound.EventRefused); e.Reason != devicebound.ReasonOld {
		t.Errorf("the event is %+v", e)
	}

	thief = b.thief()
	for name := range thief.cookies {
		thief.cookies[name] = cookie{value: thief.cookies[name].value}
	}
	c.pass(10 * time.Minute)
	wantStatus(t, "all cookies after their 10 minutes", thief.send(n, thief.request("GET", "/read")), http.StatusUnauthorized)
	if e, _ := n.last(devicebound.EventRefused); e.Reason != devicebound.ReasonExpired {
		t.Errorf("the event is %+v", e)
	}
	wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
}

// A thief who asks for a proof ends the cookie that he has. The owner goes on.
func TestAThiefWhoAsksIsOut(t *testing.T) {
	t.Parallel()
	for _, with := range []string{"no proof", "a proof by his own key", "a proof that the owner has sent before"} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			n := newNode(t, c, session.Config{}, devicebound.Config{})
			b := newBrowser(t, c)
			login(t, n, b)
			c.pass(10 * time.Minute)
			recorded := b.proofRequest().Header.Get("Secure-Session-Response")
			wantStatus(t, "the owner", b.visit(n, "/page"), http.StatusOK)
			thief := b.thief()
			wantStatus(t, "the thief before he asks", thief.send(n, thief.request("GET", "/read")), http.StatusOK)
			r := thief.request("POST", b.refresh)
			switch with {
			case "no proof":
			case "a proof by his own key":
				r.Header.Set("Secure-Session-Response", signProof(t, newKey(t, "ES256"), b.challenge, false))
			default:
				r.Header.Set("Secure-Session-Response", recorded)
			}
			r.Header.Set("Sec-Secure-Session-Id", b.id)
			res := n.answer(r) // he keeps his cookies
			wantStatus(t, "the thief asks", res, http.StatusForbidden)
			if !challenge.MatchString(res.Header.Get("Secure-Session-Challenge")) {
				t.Errorf("no challenge: %q", res.Header)
			}
			wantStatus(t, "the thief afterwards", n.answer(thief.request("GET", "/read")), http.StatusUnauthorized)
			// The owner's browser believes that its cookie counts. The refusal corrects that.
			wantStatus(t, "the owner, once", b.visit(n, "/read"), http.StatusUnauthorized)
			wantStatus(t, "the owner, then", b.visit(n, "/read"), http.StatusOK)
			wantStatus(t, "the thief afterwards", n.answer(thief.request("GET", "/read")), http.StatusUnauthorized)
			if !n.bound(t, "user:1") {
				t.Error("the session is not bound any more")
			}
		})
	}
}

// answer sends a request without a browser.
func (n *node) answer(r *http.Request) *http.Response {
	return newBrowser(nil, newClock()).send(n, r)
}

// A browser that was started again within the 10 minutes asks without a proof, while a page
// is on its way. The page is loaded again.
func TestRestartOfTheBrowserWithinTheLifetime(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	b.restart()
	c.pass(8 * time.Minute)
	page := b.request("GET", "/read")
	page.Header.Set("Sec-Fetch-Mode", "navigate")
	first := b.send(n, b.proofRequest())
	wantStatus(t, "the request for a challenge", first, http.StatusForbidden)
	b.keepChallenge(first)
	res := b.send(n, page)
	wantStatus(t, "the page that was on its way", res, http.StatusUnauthorized)
	if !strings.Contains(text(t, res), `http-equiv="refresh"`) {
		t.Error("the page is not loaded again")
	}
	wantStatus(t, "the page again", b.visit(n, "/read"), http.StatusOK)
	if b.signed != 1 {
		t.Errorf("the browser has signed %d times", b.signed)
	}
}

// A browser does not prove its key for a link on another site. The page is loaded again, from
// our own.
func TestALinkOnAnotherSite(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	c.pass(10 * time.Minute)
	for site, again := range map[string]bool{"cross-site": true, "same-site": true, "same-origin": false, "none": false} {
		page := b.request("GET", "/read")
		page.Header.Set("Sec-Fetch-Mode", "navigate")
		page.Header.Set("Sec-Fetch-Site", site)
		res := n.answer(page)
		wantStatus(t, site, res, http.StatusUnauthorized)
		if got := strings.Contains(text(t, res), `http-equiv="refresh"`); got != again {
			t.Errorf("%s: loaded again: %v", site, got)
		}
	}
	wantStatus(t, "the page again", b.visit(n, "/read"), http.StatusOK)
}

// After a login by a link on another site, such as an identity provider's, the registration
// comes without the session cookie, and its response sets none.
func TestALoginFromAnotherSite(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{Cookie: session.Cookie{MaxAge: time.Hour}}, devicebound.Config{})
	b, other := newBrowser(t, c), newBrowser(t, c)
	field := registration.FindStringSubmatch(b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration"))
	foreign := registration.FindStringSubmatch(other.send(n, other.request("GET", "/other")).Header.Get("Secure-Session-Registration"))
	register := func(challenge, code string) (*http.Response, func()) {
		key := newKey(t, "ES256")
		r := b.request("POST", field[1])
		r.Header.Del("Cookie")
		r.Header.Set("Secure-Session-Response", signCode(t, key, challenge, code))
		res := n.answer(r)
		return res, func() { b.took(key, res) }
	}
	for what, args := range map[string][2]string{
		"the code of another login":      {field[2], foreign[3]},
		"the challenge of another login": {foreign[2], field[3]},
		"no code":                        {field[2], ""},
		"not a code":                     {field[2], "AAAA"},
	} {
		res, _ := register(args[0], args[1])
		wantStatus(t, what, res, http.StatusUnauthorized)
	}
	res, took := register(field[2], field[3])
	wantStatus(t, "the registration", res, http.StatusOK)
	if lines := res.Header["Set-Cookie"]; len(lines) != 1 || !strings.HasPrefix(lines[0], n.binding.CookieName()+"=") {
		t.Errorf("the response sets %q", lines)
	}
	took()
	if b.has() {
		t.Fatal("the browser keeps the cookie of a response for another site")
	}
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
	if !n.bound(t, "user:1") || n.bound(t, "user:2") {
		t.Error("the session is not bound, or another is")
	}
	res, _ = register(field[2], field[3])
	wantStatus(t, "the same once more", res, http.StatusForbidden)
}

func TestASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, n *node, b *browser){
		"logout elsewhere": func(_ *testing.T, n *node, b *browser) { n.answer(b.request("GET", "/logout")) },
		"RevokeOwner": func(t *testing.T, n *node, _ *browser) {
			if _, err := n.sessions.RevokeOwner(t.Context(), "user:1"); err != nil {
				t.Fatal(err)
			}
		},
		"Regenerate elsewhere": func(_ *testing.T, n *node, b *browser) { n.answer(b.request("GET", "/fresh")) },
		"no cookie":            func(_ *testing.T, _ *node, b *browser) { clear(b.cookies) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			n := newNode(t, c, session.Config{}, devicebound.Config{})
			b := newBrowser(t, c)
			login(t, n, b)
			r := b.proofRequest()
			end(t, n, b)
			if name == "no cookie" {
				r.Header.Del("Cookie")
			}
			res := b.send(n, r)
			wantStatus(t, "the proof", res, http.StatusUnauthorized)
			if body := text(t, res); body != "" {
				t.Errorf("the body is %q", body)
			}
			again := b.request("POST", devicebound.DefaultRegisterPath)
			again.Header.Set("Secure-Session-Response", signProof(t, b.key, "a", true))
			if name == "no cookie" {
				again.Header.Del("Cookie")
			}
			wantStatus(t, "a registration", b.send(n, again), http.StatusUnauthorized)
		})
	}
}

// Renew keeps the binding; a login ends it and asks for another key.
func TestNewIDs(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	wantStatus(t, "Renew", b.visit(n, "/renew"), http.StatusOK)
	c.pass(10 * time.Minute)
	wantStatus(t, "after Renew", b.visit(n, "/page"), http.StatusOK)
	if !n.bound(t, "user:1") {
		t.Error("Renew has ended the binding")
	}
	for _, path := range []string{"/again", "/other"} {
		owner := map[string]string{"/again": "user:1", "/other": "user:2"}[path]
		key := b.key
		res := b.send(n, b.request("GET", path)) // the browser has not read the response yet
		field := res.Header.Get("Secure-Session-Registration")
		if n.bound(t, owner) || field == "" {
			t.Errorf("%s: the old binding stands, or no key is asked for (%q)", path, field)
		}
		wantStatus(t, "before the registration", b.send(n, b.request("GET", "/page")), http.StatusOK)
		wantStatus(t, "the registration", b.register(n, field), http.StatusOK)
		wantStatus(t, "after the registration", b.visit(n, "/page"), http.StatusOK)
		if !n.bound(t, owner) || b.key == key {
			t.Errorf("%s: the session is not bound to a new key", path)
		}
		c.pass(10 * time.Minute)
		wantStatus(t, "later", b.visit(n, "/page"), http.StatusOK)
	}
}

// Between the login and the registration the session gets another id. The challenge counts.
func TestRenewBeforeTheRegistration(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	field := b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	b.send(n, b.request("GET", "/renew"))
	wantStatus(t, "the registration", b.register(n, field), http.StatusOK)
}

func TestTwoManagersOnOneStore(t *testing.T) {
	t.Parallel()
	c := newClock()
	backend := memstore.New(memstore.Config{Now: c.now})
	nodes := [2]*node{newNode(t, c, session.Config{Store: backend}, devicebound.Config{}), newNode(t, c, session.Config{Store: backend}, devicebound.Config{})}
	b := newBrowser(t, c)
	field := b.send(nodes[0], b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	wantStatus(t, "the registration", b.register(nodes[1], field), http.StatusOK)
	for i := range 10 {
		c.pass(10 * time.Minute)
		if b.prove(nodes[i%2]) != "" {
			t.Error("the proof was not taken")
		}
		wantStatus(t, "a page", b.visit(nodes[(i+1)%2], "/page"), http.StatusOK)
	}
	thief := b.thief()
	c.pass(10 * time.Minute)
	b.visit(nodes[0], "/page")
	c.pass(devicebound.DefaultOverlap)
	wantStatus(t, "the thief", nodes[1].answer(thief.request("GET", "/page")), http.StatusUnauthorized)
}

// The first secret signs, all verify. A secret that was removed costs one more signature.
func TestRotationOfSecrets(t *testing.T) {
	t.Parallel()
	const other, third = "another secret for tests, of 32 bytes", "a third secret for tests, of 32 bytes"
	c := newClock()
	backend := memstore.New(memstore.Config{Now: c.now})
	with := func(secrets ...string) *node {
		return newNode(t, c, session.Config{Store: backend, Secrets: secrets}, devicebound.Config{})
	}
	b := newBrowser(t, c)
	field := b.send(with(secret), b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	wantStatus(t, "the registration", b.register(with(other, secret), field), http.StatusOK)
	n := with(third, other, secret)
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
	c.pass(10 * time.Minute)
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
	if b.signed != 1 || !n.bound(t, "user:1") {
		t.Errorf("signed %d times", b.signed)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	wantStatus(t, "the release", b.visit(n, "/switch"), http.StatusOK)
	c.pass(10 * time.Minute)
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
	if b.key != nil || n.bound(t, "user:1") {
		t.Error("the browser has a key, or the session is bound")
	}
	wantStatus(t, "a page", b.visit(n, "/page"), http.StatusOK)
}

// A process with Off serves the sessions that another has bound, and frees each browser at
// its next proof.
func TestOff(t *testing.T) {
	t.Parallel()
	c := newClock()
	backend := memstore.New(memstore.Config{Now: c.now})
	n := newNode(t, c, session.Config{Store: backend}, devicebound.Config{})
	b := newBrowser(t, c)
	login(t, n, b)
	off := newNode(t, c, session.Config{Store: backend}, devicebound.Config{Off: true})
	c.pass(time.Minute)
	wantStatus(t, "a request without a proof", off.answer(without(b, n.binding.CookieName()).request("GET", "/page")), http.StatusOK)
	c.pass(10 * time.Minute)
	wantStatus(t, "a page", b.visit(off, "/page"), http.StatusOK)
	if b.key != nil || n.bound(t, "user:1") {
		t.Error("the browser has a key, or the session is bound")
	}
	wantStatus(t, "after binding is on again", b.visit(n, "/page"), http.StatusOK)
	if res := newBrowser(t, c).visit(off, "/login"); res.Header.Get("Secure-Session-Registration") != "" {
		t.Error("a key was asked for")
	}
}

func without(b *browser, name string) *browser {
	f := b.thief()
	delete(f.cookies, name)
	return f
}

func TestRequire(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{
		Require: func(r *http.Request, owner string) bool { return owner == "user:1" && r.URL.Path == "/page" },
	})
	visitor := newBrowser(t, c)
	wantStatus(t, "a visitor", visitor.visit(n, "/page"), http.StatusOK)
	keyless := newBrowser(t, c)
	keyless.send(n, keyless.request("GET", "/login"))
	wantStatus(t, "right after the login", keyless.send(n, keyless.request("GET", "/page")), http.StatusOK)
	c.pass(devicebound.DefaultRequireAfter)
	wantStatus(t, "later", keyless.send(n, keyless.request("GET", "/page")), http.StatusUnauthorized)
	if e, _ := n.last(devicebound.EventRefused); e.Reason != devicebound.ReasonNoKey {
		t.Errorf("the event is %+v", e)
	}
	wantStatus(t, "another page", keyless.send(n, keyless.request("GET", "/read")), http.StatusOK)
	keyless.send(n, keyless.request("GET", "/other"))
	c.pass(time.Hour)
	wantStatus(t, "another owner", keyless.send(n, keyless.request("GET", "/page")), http.StatusOK)
	b := newBrowser(t, c)
	login(t, n, b)
	c.pass(time.Hour)
	wantStatus(t, "a bound session", b.visit(n, "/page"), http.StatusOK)
}

func TestExclude(t *testing.T) {
	t.Parallel()
	c := newClock()
	n := newNode(t, c, session.Config{}, devicebound.Config{Exclude: []string{"/static", "/login", "/logout"}})
	b := newBrowser(t, c)
	login(t, n, b)
	lost := without(b, n.binding.CookieName())
	c.pass(time.Minute)
	wantStatus(t, "an excluded path", lost.send(n, lost.request("GET", "/static/a.css?v=1")), http.StatusOK)
	for _, path := range []string{"/page", "/static/../page", "/static/%2e%2e/page", "/staticpage"} {
		r := lost.request("GET", path)
		r.URL.Path = "/page" // as a router resolves it
		wantStatus(t, path, n.answer(r), http.StatusUnauthorized)
	}
	wantStatus(t, "the login of a user whose key is lost", lost.visit(n, "/login"), http.StatusSeeOther)
	wantStatus(t, "the page", lost.visit(n, "/page"), http.StatusOK)
	c.pass(time.Hour)
	signed := b.signed
	b.visit(n, "/static/a.css")
	if b.signed != signed {
		t.Error("the browser has proved its key for an excluded path")
	}
}
