package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nestsession/session/devicebound"
)

// theft: a program that has the whole jar is out after the browser's next refresh, and gets nothing
// by asking for one.
func theft(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	th := b.steal()
	th.wantLet("before a refresh")
	for _, when := range []string{"after a refresh", "after a second one"} {
		b.lapse()
		b.navigate("/me")
		b.wantUser(when)
		b.site.clock.overlap()
		th.wantRefused(when)
		th = b.steal()
	}
	// The last jar has a proof that is still good.
	answer, _ := th.send("POST", "/dbsc/refresh", "Sec-Secure-Session-Id", b.boundID())
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a refresh without a signature is answered %d, want 403", answer.StatusCode)
	}
	challenge := challengeOf(answer.Header)
	if challenge == "" {
		t.Fatal("there is no challenge")
	}
	for _, withKey := range []bool{false, true} {
		answer, _ = th.send("POST", "/dbsc/refresh", "Sec-Secure-Session-Id", b.boundID(), "Secure-Session-Response", th.sign(challenge, withKey))
		if answer.StatusCode < 400 || answer.StatusCode > 403 {
			t.Errorf("a refresh with another key's signature is answered %d, want that it is refused", answer.StatusCode)
		}
		for _, c := range answer.Cookies() {
			if c.Name == proofCookie && c.MaxAge >= 0 && c.Value != "" {
				t.Error("a refresh with another key's signature brought a proof")
			}
		}
	}
	th.wantRefused("after asking for a refresh")
	b.navigate("/me")
	b.wantUser("after a thief asked for a refresh")
	b.wantBound("after a thief asked for a refresh")
}

// boundID returns the name by which the browser knows the session.
func (b *boundTab) boundID() string {
	b.Helper()
	return b.awaitEvent("the session is bound", succeeded(created)).SessionID
}

// boundLogout: after a logout nobody has the session, and the next login is bound again, whether the
// browser has noticed the end or not.
func boundLogout(t *testing.T, browser context.Context) {
	for name, c := range map[string]struct{ path, notices string }{
		"and in again at once": {"/logout", ""},
		"and the proof lapses": {"/logout", "lapses"},
		"with Clear-Site-Data": {"/logout?clear", "at once"},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBoundApp(t, browser, newMemory(t))
			b.logInBound()
			th := b.steal()
			b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (document.forms[1].action = %q)`, c.path)))
			b.press("Log out")
			if c.notices == "lapses" {
				b.drop()
				b.navigate("/")
			}
			if c.notices != "" {
				b.awaitEvent("the browser's session has ended", terminated)
			}
			th.wantRefused("after a logout")
			b.navigate("/")
			b.press("Log in")
			b.wantUser("after the second login")
			b.awaitAnswered(registration, 2)
			b.showProof()
			b.wantBound("after the second login")
			th.wantRefused("after the second login")
		})
	}
}

func boundRevoked(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	th := b.steal()
	if n, err := b.app.manager.RevokeOwner(t.Context(), "kim"); n != 1 || err != nil {
		t.Fatalf("%d sessions were ended: %v; want 1", n, err)
	}
	th.wantRefused("after the session was ended")
	b.lapse()
	b.navigate("/me")
	if text := b.shown(); !strings.HasPrefix(text, "nobody is logged in") {
		t.Errorf("after the session was ended the page says %q", text)
	}
	b.awaitEvent("the browser's session has ended", terminated)
	b.navigate("/")
	b.press("Log in")
	b.wantUser("after the second login")
	b.awaitAnswered(registration, 2)
	b.showProof()
	b.wantBound("after the second login")
}

// storeDown: while the store is down, for ten seconds, nothing ends.
func boundStoreDown(t *testing.T, browser context.Context) {
	st := newMemory(t)
	b := openBoundApp(t, browser, st)
	b.logInBound()
	b.lapse()
	st.down.Store(true)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for range 10 {
		for _, status := range b.fetch("GET", "/me", "/visit") {
			if status != http.StatusServiceUnavailable {
				t.Errorf("while the store is down a request is answered %d, want 503", status)
			}
		}
		<-second.C
	}
	for _, r := range b.awaitAnswered(refresh, 1) {
		if r.status != http.StatusServiceUnavailable {
			t.Errorf("while the store is down a refresh is answered %d, want 503", r.status)
		}
	}
	st.down.Store(false)
	b.awaitUser()
	for _, e := range b.reported() {
		if terminated(e) {
			t.Errorf("the browser's session has ended: %+v", e.TerminationEventDetails)
		}
	}
	b.site.clock.overlap()
	b.steal(proofCookie).wantRefused("after the store was down, without the proof")
	b.awaitUser() // after so many errors Chromium may wait before the next refresh
}

// required: where the application requires a key, a login without one is refused once it has had the
// time to get one.
func required(t *testing.T, browser context.Context) {
	b := openBound(t, browser, startBoundSite(t, func(c *clock) http.Handler {
		return newBoundApp(t, newMemory(t), devicebound.Config{Now: c.now, Exclude: []string{"/login"}, Require: func(_ *http.Request, owner string) bool { return owner == "kim" }})
	}))
	b.logInBound()
	th := &thief{T: t, url: b.url, jar: filepath.Join(t.TempDir(), "jar")}
	th.send("POST", "/login")
	th.wantLet("just after the login")
	b.site.clock.advance(devicebound.DefaultRequireAfter + time.Second)
	th.wantRefused("without a key")
	b.navigate("/me")
	b.wantUser("with a key")
}

// lostAnswers: the server has saved, and its answer does not arrive. After a registration the session
// goes on without a key; after a refresh the browser proves its key once more.
func lostAnswers(t *testing.T, browser context.Context) {
	for _, at := range []string{registration, refresh} {
		t.Run(at, func(t *testing.T) {
			b := openBoundApp(t, browser, newMemory(t))
			var lost atomic.Bool
			app := b.app
			b.site.deploy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method+" "+r.URL.Path == at && lost.CompareAndSwap(false, true) {
					app.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
				app.ServeHTTP(w, r)
			}))
			if at == registration {
				b.navigate("/")
				b.press("Log in")
				b.awaitEvent("the registration has failed", func(e *boundEvent) bool { return created(e) && !e.Succeeded })
				b.site.clock.advance(devicebound.DefaultLifetime)
				b.navigate("/me")
				b.wantUser("after the answer to the registration was lost")
				b.navigate("/")
				b.press("Log in")
				b.awaitEvent("the next login is bound", succeeded(created))
				b.showProof()
			} else {
				b.logInBound()
				b.lapse()
				b.fetch("GET", "/me")
				b.awaitUser()
			}
			b.wantBound("after an answer was lost")
			if at == refresh {
				b.lapse()
				b.navigate("/me")
				b.wantUser("after another refresh")
			}
		})
	}
}

// proxyFails: a proxy in front of the server fails once when the browser proves its key. The user is not
// sent to log in.
func proxyFails(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	b.site.clock.overlap()
	var failed atomic.Bool
	app := b.app
	b.site.deploy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.URL.Path == refresh && failed.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app.ServeHTTP(w, r)
	}))
	b.lapse()
	b.navigate("/me")
	if text := b.shown(); !strings.HasPrefix(text, "try again") {
		t.Errorf("after a proxy has failed once the page says %q", text)
	}
	b.awaitUser()
	b.wantBound("after a proxy has failed once")
}

// longPause: the browser comes back after hours, with a challenge that is too old.
func longPause(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	for range 2 {
		b.lapse()
		b.site.clock.advance(5 * time.Hour)
		b.navigate("/me")
		b.wantUser("after a long pause")
	}
	b.wantBound("after a long pause")
}
