package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
)

// boundTab is a tab that reports what Chromium does with bound sessions.
type boundTab struct {
	*tab
	site *boundSite
	app  *boundApp // of openBoundApp

	reports sync.Mutex
	events  []*network.EventDeviceBoundSessionEventOccurred
	more    chan struct{} // closed at the next event
}

func openBound(t *testing.T, browser context.Context, s *boundSite) *boundTab {
	t.Helper()
	b := &boundTab{tab: newTab(t, browser, s.url), site: s, more: make(chan struct{})}
	if err := chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*network.EventDeviceBoundSessionEventOccurred); ok && e.Site == s.url[:strings.LastIndexByte(s.url, ':')] {
			b.reports.Lock()
			defer b.reports.Unlock()
			b.events = append(b.events, e)
			close(b.more)
			b.more = make(chan struct{})
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.EnableDeviceBoundSessions, network.EnableDeviceBoundSessionsParams{Enable: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

// What Chromium reports.
type boundEvent = network.EventDeviceBoundSessionEventOccurred

func created(e *boundEvent) bool    { return e.CreationEventDetails != nil }
func terminated(e *boundEvent) bool { return e.TerminationEventDetails != nil }

func succeeded(kind func(*boundEvent) bool) func(*boundEvent) bool {
	return func(e *boundEvent) bool { return kind(e) && e.Succeeded }
}

// awaitEvent waits until Chromium has reported such an event.
func (b *boundTab) awaitEvent(what string, is func(*boundEvent) bool) *boundEvent {
	b.Helper()
	deadline := time.After(soon)
	for {
		b.reports.Lock()
		at, more := slices.IndexFunc(b.events, is), b.more
		var e *boundEvent
		if at >= 0 {
			e = b.events[at]
		}
		b.reports.Unlock()
		if e != nil {
			return e
		}
		select {
		case <-more:
		case <-deadline:
			b.Fatalf("Chromium did not report within %v: %s\n%s", soon, what, b.account())
		}
	}
}

func (b *boundTab) reported() []*boundEvent {
	b.reports.Lock()
	defer b.reports.Unlock()
	return slices.Clone(b.events)
}

// account is what happened, for a test that fails.
func (b *boundTab) account() string {
	var text strings.Builder
	for _, e := range b.reported() {
		line, _ := json.Marshal(e)
		fmt.Fprintf(&text, "%s\n", line)
	}
	for _, r := range b.site.all() {
		fmt.Fprintln(&text, r)
	}
	return text.String()
}

// awaitAnswered waits until so many requests for the path were answered, and returns all of them.
func (b *boundTab) awaitAnswered(request string, n int) (found []seen) {
	b.Helper()
	b.site.await(b.T, fmt.Sprintf("%d answers to %s", n, request), func(all []seen) bool {
		found = answered(all, request)
		return len(found) >= n
	})
	return found
}

// proof waits for the cookie that proves that the browser has the key, and returns its value.
func (b *boundTab) proof() string {
	b.Helper()
	return b.awaitCookie(proofCookie)
}

// awaitCookie waits for a cookie, and returns its value. Chromium may report an event before the
// cookie is stored.
func (b *boundTab) awaitCookie(name string) string {
	b.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(soon)
	for {
		if c := b.cookie(name); c != nil {
			return c.Value
		}
		select {
		case <-again.C:
		case <-deadline:
			b.Fatalf("the browser has no cookie %s within %v\n%s", name, soon, b.account())
		}
	}
}

// lapse removes the cookie that proves that the browser has the key, as its expiry does, and
// returns its value.
func (b *boundTab) lapse() (value string) {
	b.Helper()
	value = b.proof()
	b.drop()
	return value
}

// drop is lapse for a browser that may have no such cookie.
func (b *boundTab) drop() {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: proofCookie, URL: b.url + "/"}); err != nil {
		b.Fatal(err)
	}
	if b.cookie(proofCookie) != nil {
		b.Fatal("the cookie is still there")
	}
}

func openBoundApp(t *testing.T, browser context.Context, st store.Store, exclude ...string) *boundTab {
	t.Helper()
	var app *boundApp
	s := startBoundSite(t, func(c *clock) http.Handler {
		app = newBoundApp(t, st, devicebound.Config{Now: c.now, Exclude: exclude})
		return app
	})
	b := openBound(t, browser, s)
	b.app = app
	return b
}

// submit logs in by the page's form, and does not wait for the next page.
func (b *boundTab) submit(target string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (document.forms[0].action = %q, document.forms[0].submit())`, "/login?to="+url.QueryEscape(target))))
}

// logIn logs in by the form and waits until Chromium has bound the session.
func (b *boundTab) logInBound() {
	b.Helper()
	b.navigate("/")
	b.press("Log in")
	b.awaitEvent("the session is bound", succeeded(created))
	b.showProof()
}

// showProof loads a page with the proof: from then on no request without one is let in.
func (b *boundTab) showProof() {
	b.Helper()
	b.proof()
	b.navigate("/me")
	b.wantUser("with the first proof")
}

func (b *boundTab) wantUser(when string) {
	b.Helper()
	if text := b.shown(); !strings.Contains(text, "kim has") {
		b.Errorf("%s: the page says %q, want that kim is logged in\n%s", when, text, b.account())
	}
}

// arrive waits until the page to which submit leads says the text.
func (b *boundTab) arrive(says string) {
	b.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(soon)
	for !strings.Contains(b.shown(), says) {
		select {
		case <-again.C:
		case <-deadline:
			b.Fatalf("the page does not say %q within %v: %q\n%s", says, soon, b.shown(), b.account())
		}
	}
}

// shown returns the text of the page. After a refusal, devicebound has the browser load a page once
// more.
func (b *boundTab) shown() string {
	b.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(soon)
	for {
		text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.title === "One moment" || !document.body ? "" : document.body.innerText`))
		if err == nil && text != "" {
			return text
		}
		select {
		case <-again.C:
		case <-deadline:
			b.Fatalf("the page was not loaded again within %v: %v", soon, err)
		}
	}
}

// awaitUser loads the page until the user is logged in: after an error of the server, Chromium
// waits a little before it asks for a refresh again.
func (b *boundTab) awaitUser() {
	b.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(soon)
	for {
		b.navigate("/me")
		if strings.Contains(b.shown(), "kim has") {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			b.Fatalf("nobody is logged in within %v: %q\n%s", soon, b.shown(), b.account())
		}
	}
}

// wantBound checks that the session is of no use without the proof, and that the browser can use
// it.
func (b *boundTab) wantBound(when string) {
	b.Helper()
	b.site.clock.overlap()
	b.steal(proofCookie).wantRefused(when + ", without the proof")
	b.navigate("/me")
	b.wantUser(when)
}

// fetch sends requests from the page, all at once, and returns the statuses of the answers.
func (b *boundTab) fetch(method string, paths ...string) []int {
	b.Helper()
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = strconv.Quote(p)
	}
	return run(b.tab, chromedp.Evaluate[[]int](fmt.Sprintf(`Promise.all([%s].map(path => fetch(path, {method: %q}).then(r => r.status)))`,
		strings.Join(quoted, ","), method), chromedp.EvalAwaitPromise))
}

func (b *boundTab) wantStatuses(got []int, when string) {
	b.Helper()
	for _, status := range got {
		if status != http.StatusOK {
			b.Errorf("%s: the answers are %v, want 200 for each\n%s", when, got, b.account())
			return
		}
	}
}
