package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store/memstore"
)

// Sessions bound to a key of the device, in a browser that binds them.
func TestBoundInChromium(t *testing.T) {
	t.Parallel()
	inChromium(t, map[string]func(*testing.T, context.Context){
		"what Chromium signs":                    vectors,
		"a form's 303":                           boundByForm,
		"a fetch":                                boundByFetch,
		"a login under load":                     boundUnderLoad,
		"refreshes, five at once being one":      refreshes,
		"the server restarted between the steps": serverRestarted,
		"the server killed while it registers":   serverKilled,
		"two nodes":                              boundOnTwoNodes,
		"a stolen jar":                           theft,
		"logout":                                 boundLogout,
		"ended elsewhere":                        boundRevoked,
		"the store down":                         boundStoreDown,
		"a page that races the registration":     raced,
		"a request that races a refresh":         refreshRaced,
		"a login that races the registration":    loginRacesRegistration,
		"streams come back":                      boundStreams,
		"a logout that races":                    logoutRaces,
		"a key is required":                      required,
		"on memory":                              boundOn("memory"),
		"on SQLite":                              boundOn("SQLite"),
		"on Redis":                               boundOn("Redis"),
		"on PostgreSQL":                          boundOn("PostgreSQL"),
		"on MariaDB":                             boundOn("MariaDB"),
		"on NATS":                                boundOn("NATS"),
	})
}

// TestLongBoundInChromium has what comes less often: it would take make test half a minute.
func TestLongBoundInChromium(t *testing.T) {
	t.Parallel()
	inChromium(t, map[string]func(*testing.T, context.Context){
		"a new secret":                          boundRotated,
		"switched off":                          boundOff,
		"no more signatures":                    boundQuota,
		"other browsers":                        otherBrowsers,
		"other tabs":                            otherTabs,
		"streams come back in time":             streamsInTime,
		"an id renewed during the registration": renewalRacesRegistration,
		"a stolen stream":                       stolenStream,
		"a link on another site":                linked,
		"a proof at a node with a near cache":   proofBehindNearCache,
		"answers that are lost":                 lostAnswers,
		"a long pause":                          longPause,
		"a request that is overtaken":           overtaken,
		"a login by another site":               boundByProvider,
		"a login that races a refresh":          loginRacesRefresh,
		"a proxy that fails":                    proxyFails,
		"a second login":                        boundAgain,
		"a new id":                              boundRenewed,
		"two nodes, one with a near cache":      boundBehindNearCache,
		"a login while the proof has lapsed":    loginWhileLapsed,
	})
}

// inChromium runs scenarios in one browser, each in a window with cookies of its own.
func inChromium(t *testing.T, scenarios map[string]func(*testing.T, context.Context)) {
	browser := startBindingChromium(t, t.TempDir())
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, browser)
		})
	}
}

const (
	registration = "POST /dbsc/register"
	refresh      = "POST /dbsc/refresh"
)

func newMemory(t *testing.T) *gated {
	t.Helper()
	st := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = st.Close() })
	return &gated{Store: st}
}

func boundByForm(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	b.wantBound("after the form's 303")
}

func boundByFetch(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.navigate("/")
	b.wantStatuses(b.fetch("POST", "/login?fetch"), "logging in")
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
	b.wantBound("after the fetch")
}

// boundUnderLoad: the page sends requests before, with and after the login. Those after it are
// all answered, and counted, whatever the registration is doing.
func boundUnderLoad(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.navigate("/")
	b.wantStatuses(b.fetch("POST", "/before"), "before the login")
	got := run(b.tab, chromedp.Evaluate[[]int](`(async () => {
		const post = path => fetch(path, {method: "POST"}).then(r => r.status);
		const before = Array.from({length: 10}, () => post("/before"));
		const login = await post("/login?fetch");
		const after = Array.from({length: 40}, () => post("/visit"));
		await Promise.all(before);
		return [login, ...await Promise.all(after)];
	})()`, chromedp.EvalAwaitPromise))
	b.wantStatuses(got, "the login and the requests after it")
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
	b.wantBound("after a login under load")
	if text := b.shown(); !strings.Contains(text, "kim has 40 visits") {
		t.Errorf("40 visits were answered; the page says %q", text)
	}
}

// refreshes: five requests at once wait for one refresh; a form that is sent while the proof has
// lapsed arrives with its body.
func refreshes(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	for n, use := range []func(){
		func() { b.navigate("/me"); b.wantUser("after the first refresh") },
		func() {
			b.wantStatuses(b.fetch("GET", "/me", "/me?2", "/me?3", "/visit", "/visit?2"), "five at once")
		},
		func() {
			got := run(b.tab, chromedp.Evaluate[string](`fetch("/visit", {method: "POST", body: "a long letter"}).then(r => r.text())`, chromedp.EvalAwaitPromise))
			if got != `kim sent "a long letter"` {
				t.Errorf("a form that waited for a refresh was answered %q", got)
			}
		},
	} {
		before := b.lapse()
		use()
		if got := len(b.awaitAnswered(refresh, n+1)); got != n+1 {
			t.Errorf("there were %d refreshes, want %d\n%s", got, n+1, b.account())
		}
		if now := b.proof(); now == before {
			t.Error("a refresh brought the same proof again")
		}
	}
}

// browserRestarted: a browser that is started again has its keys and no challenge.
func TestBoundBrowserRestarted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := startBoundSite(t, func(c *clock) http.Handler { return newBoundApp(t, newMemory(t), devicebound.Config{Now: c.now}) })
	browser := startBindingChromium(t, folder)
	b := openBound(t, browser, s)
	b.logInBound()
	b.lapse()
	if err := chromedp.Cancel(browser); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	b = openBound(t, startBindingChromium(t, folder), s)
	b.navigate("/me")
	b.wantUser("after the browser was started again")
	if got := b.awaitAnswered(refresh, 2); len(got) != 2 || got[0].status != http.StatusForbidden || got[1].status != http.StatusOK {
		t.Errorf("the refreshes are %v, want one without proof that gets a challenge, and one with it", got)
	}
	b.wantBound("after the browser was started again")
}

// boundQuota: a browser that may not sign any more is refused, and not logged out.
func boundQuota(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	for n := 1; ; n++ {
		if n > 20 {
			t.Fatal("Chromium has signed 20 times; the quota that the test is about is gone")
		}
		b.lapse()
		if status := b.fetch("GET", "/me")[0]; status != http.StatusOK {
			if status != http.StatusUnauthorized {
				t.Errorf("without a proof: %d, want 401", status)
			}
			break
		}
	}
	if n := b.app.count(func(e devicebound.Event) bool {
		return e.Kind == devicebound.EventRefused && e.Skipped == "quota_exceeded"
	}); n == 0 {
		t.Errorf("no event says that the browser's quota is exceeded: %+v", b.app.all())
	}
	for _, e := range b.reported() {
		if terminated(e) {
			t.Errorf("the browser's session has ended: %+v", e.TerminationEventDetails)
		}
	}
	for info, err := range b.app.manager.List(t.Context(), "kim") {
		if err != nil || !b.app.binding.IsBound(info) {
			t.Errorf("the session is not bound any more: %v", err)
		}
		return
	}
	t.Error("the session has ended")
}

// otherBrowsers of the user are bound each by itself, or not at all.
func otherBrowsers(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	second := openBound(t, openAt(t, browser, b.url).ctx, b.site)
	second.navigate("/")
	second.press("Log in")
	second.awaitEvent("the second browser is bound", succeeded(created))
	second.showProof()
	curl := &thief{T: t, url: b.url, jar: filepath.Join(t.TempDir(), "jar")}
	if answer, _ := curl.send("POST", "/login"); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("a program without keys gets %d for its login", answer.StatusCode)
	}
	b.site.clock.advance(devicebound.DefaultLifetime - time.Minute)
	curl.wantLet("a program without keys")
	for _, c := range []*boundTab{b, second} {
		c.lapse()
		c.navigate("/me")
		c.wantUser("each browser by itself")
		c.wantBound("each browser by itself")
	}
	second.press("Log out")
	b.wantBound("after the other browser has logged out")
	curl.wantLet("a program without keys, after another browser has logged out")
}

// otherTabs wait for the same refresh.
func otherTabs(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	second := openBeside(t, b.tab)
	second.navigate("/")
	b.lapse()
	const visit = `void (window.got = fetch("/visit").then(r => r.status))`
	b.do(chromedp.Evaluate[chromedp.Void](visit))
	second.do(chromedp.Evaluate[chromedp.Void](visit))
	for _, tab := range []*tab{b.tab, second} {
		if status := run(tab, chromedp.Evaluate[int](`got`, chromedp.EvalAwaitPromise)); status != http.StatusOK {
			t.Errorf("a tab gets %d", status)
		}
	}
	if n := len(answered(b.site.all(), refresh)); n != 1 {
		t.Errorf("two tabs made %d refreshes, want 1", n)
	}
}

// follow follows a link on another site.
func (b *boundTab) follow(t *testing.T, path string) {
	t.Helper()
	t.Run("from", func(t *testing.T) { // a site is named after its test
		other := startBoundSite(t, func(*clock) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><main><a href="%s">a link</a></main>`, b.url+path)
			})
		})
		b.do(chromedp.Navigate(other.url + "/"))
		b.press("a link")
	})
}

// linked: the user follows a link on another site when the proof has lapsed. Chromium proves no key
// for such a request.
func linked(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	b.site.clock.overlap()
	b.lapse()
	b.follow(t, "/me")
	b.wantUser("after a link on another site")
	b.wantBound("after a link on another site")
}

// boundByProvider: another site sends the user to the page that logs in. Chromium then registers the
// key without the session's cookie.
func boundByProvider(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.follow(t, "/callback")
	b.wantUser("after a login by another site")
	b.awaitEvent("the session is bound", succeeded(created))
	b.navigate("/me")
	b.showProof()
	b.wantBound("after a login by another site")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
}

// boundRenewed and boundRotated: neither a new id nor a new secret costs the binding.
func boundRenewed(t *testing.T, browser context.Context) {
	b := openBoundApp(t, browser, newMemory(t))
	b.logInBound()
	b.wantStatuses(b.fetch("POST", "/renew"), "renewing the id")
	b.wantStatuses(b.fetch("GET", "/me", "/visit"), "with a new id")
	b.wantBound("with a new id")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh with a new id")
	b.wantBound("after a refresh with a new id")
}

func boundRotated(t *testing.T, browser context.Context) {
	st := newMemory(t)
	b := openBoundApp(t, browser, st)
	b.logInBound()
	for _, secrets := range [][]string{{boundSecret, "another secret for the tests"}, {"another secret for the tests", boundSecret}} {
		b.site.deploy(newBoundApp(t, st, devicebound.Config{Now: b.site.clock.now}, secrets...))
		b.navigate("/me")
		b.wantUser("after a step of the rotation")
		b.lapse()
		b.navigate("/me")
		b.wantUser("after a refresh")
		b.wantBound("after a refresh")
	}
	b.site.deploy(newBoundApp(t, st, devicebound.Config{Now: b.site.clock.now}, "another secret for the tests"))
	b.navigate("/me")
	b.wantUser("after the rotation")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
	b.wantBound("after the rotation")
}

// boundOff: binding is switched off. The session goes on without the key, which the browser forgets.
func boundOff(t *testing.T, browser context.Context) {
	st := newMemory(t)
	b := openBoundApp(t, browser, st)
	b.logInBound()
	b.site.deploy(newBoundApp(t, st, devicebound.Config{Now: b.site.clock.now, Off: true}))
	b.lapse()
	b.navigate("/me")
	b.wantUser("after binding was switched off")
	b.awaitEvent("the browser has forgotten the key", terminated)
	before := len(answered(b.site.all(), refresh))
	b.navigate("/me")
	b.wantUser("after the browser has forgotten the key")
	if after := len(answered(b.site.all(), refresh)); after != before {
		t.Errorf("the browser asked %d times more for a refresh", after-before)
	}
}
