package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The user agents of browsers, and the names by which users know them.
const (
	laptopAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	phoneAgent  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	tabletAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"

	laptop = "Firefox on Linux"
	phone  = "Safari on iPhone"
	tablet = "Edge on Windows"
)

// soon bounds how long a page waits for an event. On one node an event takes some
// milliseconds; the rest is for slow machines.
const soon = time.Minute

// devices logs in the same user with several browsers, at one or several servers.
func devices(t *testing.T, browser context.Context, urls ...string) (l, p *tab) {
	t.Helper()
	l = openAs(t, browser, urls[0], laptopAgent)
	l.signUp("kim", "correct horse battery")
	p = openAs(t, browser, urls[len(urls)-1], phoneAgent)
	p.logIn("kim", "correct horse battery")
	return l, p
}

// eachSeesTheOther: a user has two windows; one logs the other out, and its page says so without
// being loaded again.
func eachSeesTheOther(t *testing.T, browser context.Context) {
	url := startServer(t)
	l, p := devices(t, browser, url)
	l.press("Your devices")
	p.press("Your devices")
	l.wantDevices(laptop, phone)
	p.wantDevices(phone, laptop)
	l.mark()
	p.mark()
	third := openAs(t, browser, url, tabletAgent)
	third.logIn("kim", "correct horse battery")
	l.awaitDevices(laptop, tablet, phone)
	p.awaitDevices(phone, tablet, laptop)
	l.photograph("devices")

	l.logOutDevice(phone)
	p.wantEnded()
	third.wantEndedNot()
	l.wantDevices(laptop, tablet)
	if !strings.Contains(l.text(), phone+" is logged out.") {
		t.Errorf("after logging the phone out: %q", l.text())
	}
	p.photograph("ended")
	p.press("Log in")
	p.fill("username", "kim", "password", "correct horse battery")
	p.press("Log in")
	p.wantLoggedIn("kim", "after being logged out elsewhere")
	l.awaitDevices(laptop, phone, tablet)
	for _, b := range []*tab{l, p, third} {
		b.wantQuietConsole()
	}
}

// everywhereElse ends all windows but this one, whatever page they show.
func everywhereElse(t *testing.T, browser context.Context) {
	url := startServer(t)
	l, p := devices(t, browser, url)
	p.mark() // on the account's page
	third := openAs(t, browser, url, tabletAgent)
	third.logIn("kim", "correct horse battery")
	third.press("Change password")
	third.mark()
	another := openAs(t, browser, url, tabletAgent)
	another.signUp("lee", "correct horse battery")
	another.mark()
	l.press("Your devices")
	l.press("Log out everywhere else")
	p.wantEnded()
	third.wantEnded()
	l.wantDevices(laptop)
	if !strings.Contains(l.text(), "You are logged out in the 2 other places") || strings.Contains(l.text(), "everywhere else") {
		t.Errorf("after logging out everywhere else: %q", l.text())
	}
	another.wantEndedNot()
	if third.path() != "/password" {
		t.Errorf("who was logged out is on %s, want where it was", third.path())
	}
	third.do(chromedp.Reload())
	third.wantNothingPrivate("loading again what has ended")
}

// otherWindows: what ends one window of a browser ends its other windows. A new password ends none
// of them, and the list still marks this device.
func otherWindows(t *testing.T, browser context.Context) {
	l, p := devices(t, browser, startServer(t))
	second := openBeside(t, l)
	second.navigate("/sessions")
	second.wantDevices(laptop, phone)
	second.mark()
	l.press("Change password")
	l.fill("current_password", "correct horse battery", "new_password", "battery staple pile")
	l.press("Change password")
	p.wantEnded()
	second.awaitDevices(laptop)
	second.wantEndedNot()
	l.press("Log out")
	second.wantEnded()
}

// timesOfDevices: a page tells times as its user's clock does, and what is used now is used "just
// now", in the user's language.
func timesOfDevices(t *testing.T, browser context.Context) {
	l, p := devices(t, browser, startServer(t))
	const zone = "Asia/Kolkata" // half an hour off the others
	india, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(l.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}); err != nil {
		t.Fatal(err)
	}
	times := func(slot, of string) []string {
		return run(l, chromedp.Evaluate[[]string](`[...document.querySelectorAll('main time[data-slot="`+slot+`"]')].map(e => e.`+of+`)`))
	}
	local := func(slot string) {
		t.Helper()
		shown, is := times(slot, "textContent"), times(slot, "dateTime")
		for i := range is {
			at, err := time.Parse(time.RFC3339, is[i])
			if want := at.In(india).Format("3:04"); err != nil || !strings.Contains(shown[i], want) || strings.Contains(shown[i], "UTC") {
				t.Errorf("%s is shown as %q, want %s in it (%v)", is[i], shown[i], want, err)
			}
		}
		if len(is) == 0 {
			t.Errorf("the page on %s has no time %q: %q", l.path(), slot, l.text())
		}
	}
	l.navigate("/me")
	local("since")
	local("expires")
	l.press("Your devices")
	local("created")
	if got := times("last_used", "textContent"); strings.Join(got, ", ") != "just now, just now" {
		t.Errorf("the devices were last used %q", got)
	}
	// Later, which the page's clock says, this device is still used now, and the other one is not.
	if _, err := chromedp.Call(l.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: "const now = Date.now; Date.now = () => now() + 3600000;"}); err != nil {
		t.Fatal(err)
	}
	l.navigate("/sessions")
	if got := times("last_used", "textContent"); len(got) != 2 || got[0] != "just now" || got[1] == "just now" || strings.Contains(got[1], "UTC") {
		t.Errorf("an hour later the devices were last used %q", got)
	}
	if got := run(l, chromedp.Evaluate[[]string](`[...document.querySelectorAll('[data-slot="network"]')].map(e => e.textContent)`)); strings.Join(got, " ") != "127.0.0.0/24 127.0.0.0/24" {
		t.Errorf("the networks are %q", got)
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: phoneAgent, AcceptLanguage: "ko"}); err != nil {
		t.Fatal(err)
	}
	p.navigate("/sessions")
	if text := p.text(); !strings.Contains(text, "마지막 사용: 방금") || !strings.Contains(text, "로그인: 20") || !strings.Contains(text, "오") || strings.Contains(text, "UTC") {
		t.Errorf("in Korean the page says %q", text)
	}
	l.wantQuietConsole()
	p.wantQuietConsole()
}

// devicesWithoutJavaScript: the buttons do the same.
func devicesWithoutJavaScript(t *testing.T, browser context.Context) {
	l, p := devices(t, browser, startServer(t))
	if _, err := chromedp.Call(l.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	l.press("Your devices")
	for _, want := range []string{"these 2 devices", laptop, phone, "this device", "Last used just now", " UTC", "from the network 127.0.0.0/24"} {
		if !strings.Contains(l.text(), want) {
			t.Errorf("the page does not say %q: %q", want, l.text())
		}
	}
	l.logOutDevice(phone)
	p.wantEnded()
	p.press("Log in")
	p.fill("username", "kim", "password", "correct horse battery")
	p.press("Log in")
	l.navigate("/sessions")
	l.press("Log out everywhere else")
	p.wantEnded()
}

func openAs(t *testing.T, browser context.Context, url, agent string) *tab {
	t.Helper()
	b := openAt(t, browser, url)
	if _, err := chromedp.Call(b.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) logIn(name, password string) {
	b.Helper()
	b.navigate("/login")
	b.fill("username", name, "password", password)
	b.press("Log in")
	b.wantLoggedIn(name, "after logging in")
}

// logOutDevice presses the button of the device with this name.
func (b *tab) logOutDevice(name string) {
	b.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(`//main//button[@aria-label="Log out `+name+`"]`)); err != nil {
		b.Fatalf("log out %s: %v", name, err)
	}
}

// mark lets wantEnded check that a page was not loaded again.
func (b *tab) mark() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`void (document.body.dataset.marked = "yes")`))
	b.marked = true
}

const (
	namesOfDevices = `[...document.querySelectorAll("#devices > li strong")].map(e => e.textContent).join(", ")`
	hasEnded       = `document.querySelector("main h1").textContent === "You have been logged out"`
)

func (b *tab) wantDevices(names ...string) {
	b.Helper()
	got := run(b, chromedp.Evaluate[string](namesOfDevices))
	if want := strings.Join(names, ", "); got != want {
		b.Errorf("the page lists %s; want %s", got, want)
	}
}

// awaitDevices waits until the page lists these devices without being loaded again.
func (b *tab) awaitDevices(names ...string) {
	b.Helper()
	b.await(namesOfDevices + " === " + strconv.Quote(strings.Join(names, ", ")))
	if n := len(names); n > 1 && !strings.Contains(b.text(), "these "+strconv.Itoa(n)+" devices") {
		b.Errorf("the page counts others than %d: %q", n, b.text())
	}
	if current := run(b, chromedp.Evaluate[string](`[...document.querySelectorAll("#devices > li")]
		.filter(e => !e.querySelector(".here").hidden).map(e => e.querySelector("strong").textContent).join()`)); current != names[0] {
		b.Errorf("this device is %q; want %q", current, names[0])
	}
}

// wantEnded waits until the page says, without being loaded again, that it is logged out, and shows
// nothing else.
func (b *tab) wantEnded() {
	b.Helper()
	b.await(hasEnded)
	b.wantNothingPrivate("the page of who was logged out")
	got := run(b, chromedp.Evaluate[map[string]string](`({
		marked: document.body.dataset.marked || "",
		title: document.title,
		focus: document.activeElement.tagName,
	})`))
	if got["title"] != "You have been logged out · nest session" || got["focus"] != "H1" {
		b.Errorf("the title is %q, the focus on %q", got["title"], got["focus"])
	}
	if b.marked && got["marked"] != "yes" {
		b.Error("the page was loaded again")
	}
	b.marked = false
}

// wantEndedNot waits for as long as the server takes to answer, and checks that the page is not
// ended.
func (b *tab) wantEndedNot() {
	b.Helper()
	if ended := run(b, chromedp.Evaluate[bool](`fetch("/me").then(() => `+hasEnded+`)`, chromedp.EvalAwaitPromise)); ended {
		b.Errorf("the page on %s says that it has been logged out", b.path())
	}
}

// await waits until an expression is true on the page.
func (b *tab) await(expression string) {
	b.Helper()
	ok := run(b, chromedp.Evaluate[bool](`new Promise(done => {
		const look = () => { if (`+expression+`) done(true); };
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		look();
		setTimeout(() => done(false), `+strconv.FormatInt(soon.Milliseconds(), 10)+`);
	})`, chromedp.EvalAwaitPromise))
	if !ok {
		b.Fatalf("the page did not come to %s: on %s: %q", expression, b.path(), b.text())
	}
}
