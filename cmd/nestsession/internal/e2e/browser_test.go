package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestInChromium(t *testing.T) {
	t.Parallel()
	browser := startChromium(t)
	for name, scenario := range map[string]func(*testing.T, context.Context){
		"sign up, reload, log out, go back, log in": signUpToLogOut,
		"the same without JavaScript":               withoutJavaScript,
		"the keyboard alone":                        keyboardOnly,
		"mistakes":                                  mistakes,
		"change the password":                       changePassword,
		"a form on another site":                    otherSite,
		"the server is started again":               startedAgain,
		"two devices, and a third":                  eachSeesTheOther,
		"log out everywhere else":                   everywhereElse,
		"two windows of one browser":                otherWindows,
		"devices without JavaScript":                devicesWithoutJavaScript,
		"devices in the browser's time zone":        timesOfDevices,
		"devices on two servers with Redis":         nodesOnRedis,
		"devices on two servers with SQLite":        nodesOnSQLite,
		"looks":                                     looks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, browser)
		})
	}
}

func signUpToLogOut(t *testing.T, browser context.Context) { walk(t, open(t, browser, "/")) }

func withoutJavaScript(t *testing.T, browser context.Context) {
	b := open(t, browser, "/")
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	walk(t, b)
}

// walk is what a new user does.
func walk(t *testing.T, b *tab) {
	b.press("Sign up")
	b.fill("username", "Kim", "password", "correct horse battery")
	b.press("Sign up")
	b.wantLoggedIn("kim", "after signing up")
	first := b.sessionCookie()
	if !first.HTTPOnly || first.SameSite != network.CookieSameSiteLax || first.Path != "/" {
		t.Errorf("the session's cookie is not HttpOnly, SameSite=Lax and for /: %+v", redacted(first))
	}

	b.do(chromedp.Reload())
	b.wantLoggedIn("kim", "after a reload")
	b.press("Change password")
	b.press("Back to your account")

	b.press("Log out")
	if b.path() != "/login?logged-out" || !strings.Contains(b.text(), "You are logged out.") {
		t.Errorf("after logging out: %s: %q", b.path(), b.text())
	}
	if c := b.cookie("sid"); c != nil {
		t.Error("the session's cookie is still there after logging out")
	}
	for range 4 { // back over the account, the form for the password, the account, and the form to sign up
		b.step(-1)
		b.wantNothingPrivate("going back to " + b.path())
	}
	for range 4 {
		b.step(+1)
		b.wantNothingPrivate("going forward to " + b.path())
	}

	b.navigate("/login")
	b.fill("username", "kim", "password", "correct horse battery")
	b.press("Log in")
	b.wantLoggedIn("kim", "after logging in")
	if b.sessionCookie().Value == first.Value {
		t.Error("the id did not change at login")
	}
	b.navigate("/login")
	if b.path() != "/me" {
		t.Errorf("who is logged in and asks for the form to log in is on %s, want /me", b.path())
	}
	b.wantQuietConsole()
}

func keyboardOnly(t *testing.T, browser context.Context) {
	b := open(t, browser, "/register")
	if _, err := chromedp.RunResponse(b.ctx, chromedp.KeyEvent("kim"+kb.Tab+"correct horse battery"+kb.Enter)); err != nil {
		t.Fatal(err)
	}
	b.wantLoggedIn("kim", "after typing name, Tab, password, Enter")
	outline := run(b, chromedp.Evaluate[string](`(() => {
		document.querySelector("form button").focus({focusVisible: true});
		return getComputedStyle(document.activeElement).outlineStyle;
	})()`))
	if outline != "solid" {
		t.Errorf("the outline of what has the focus is %q, want it to be seen", outline)
	}
}

func mistakes(t *testing.T, browser context.Context) {
	b := open(t, browser, "/register")
	noValidation := chromedp.Evaluate[chromedp.Void](`document.forms[0].noValidate = true`)
	b.do(noValidation)
	b.fill("username", "kim cheolsu", "password", "short")
	b.press("Sign up")
	b.photograph("mistakes-light")
	for _, want := range []string{"without spaces", "at least 15 characters"} {
		if !strings.Contains(strings.ToLower(b.text()), want) {
			t.Errorf("the page does not say %q: %q", want, b.text())
		}
	}
	if title := run(b, chromedp.Title()); !strings.HasPrefix(title, "Error: ") {
		t.Errorf("the title %q does not say that there is an error", title)
	}
	got := run(b, chromedp.Evaluate[map[string]string](`({
		name: document.forms[0].username.value,
		password: document.forms[0].password.value,
		focus: document.activeElement.name,
		described: document.getElementById(document.forms[0].username.getAttribute("aria-describedby").split(" ")[0]).textContent,
	})`))
	if got["name"] != "kim cheolsu" || got["password"] != "" {
		t.Errorf("the form holds %q and %q, want the name kept and the password not", got["name"], got["password"])
	}
	if got["focus"] != "username" || !strings.Contains(got["described"], "without spaces") {
		t.Errorf("the cursor is in %q, described by %q; want the first wrong field and what is wrong", got["focus"], got["described"])
	}

	b.signUp("kim", "correct horse battery")
	b.press("Log out")
	b.fill("username", "kim", "password", "wrong password")
	b.press("Log in")
	b.photograph("wrong-password-light")
	if !strings.Contains(b.text(), "Wrong username or password") {
		t.Errorf("a wrong password is answered %q", b.text())
	}
	b.fill("password", "correct horse battery") // the name is still there
	b.press("Log in")
	b.wantLoggedIn("kim", "after the second try")
}

func changePassword(t *testing.T, browser context.Context) {
	b := open(t, browser, "/")
	b.signUp("kim", "correct horse battery")
	b.press("Change password")
	b.fill("current_password", "correct horse battery", "new_password", "battery staple pile")
	b.press("Change password")
	if !strings.Contains(b.text(), "Your password is changed") {
		t.Errorf("after the change: %q", b.text())
	}
	b.photograph("changed-light")
	b.do(chromedp.Reload())
	b.wantLoggedIn("kim", "after a reload")
	if strings.Contains(b.text(), "Your password is changed") {
		t.Error("the notice is shown twice")
	}
}

// Another site in the same browser must not act in the name of the user who is logged in here.
func otherSite(t *testing.T, browser context.Context) {
	b := open(t, browser, "/")
	b.signUp("kim", "correct horse battery")
	evil := serveForm(t, b.url+"/logout")
	b.do(chromedp.Navigate(evil))
	response, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("button")))
	if err != nil {
		t.Fatal(err)
	}
	if response.Status != 403 || !strings.Contains(b.text(), "Another site sent this request") {
		t.Errorf("a form on %s was answered %d: %q", evil, response.Status, b.text())
	}
	b.navigate("/me")
	b.wantLoggedIn("kim", "after a form on another site")
}

func (b *tab) wantLoggedIn(name, when string) {
	b.Helper()
	if b.path() != "/me" || !strings.Contains(b.text(), "You are logged in as "+name+".") {
		b.Errorf("%s: on %s: %q", when, b.path(), b.text())
	}
}

func (b *tab) wantNothingPrivate(when string) {
	b.Helper()
	html := run(b, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
	if strings.Contains(strings.ToLower(html), "kim") || strings.Contains(html, "correct horse battery") {
		b.Errorf("%s shows what is private: %s", when, html)
	}
}

// wantQuietConsole fails if a page logged an error other than a status or what logging out is meant
// to do.
func (b *tab) wantQuietConsole() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.errors {
		if strings.HasPrefix(m, "debug: ") {
			continue // advice on forms, which Chromium may give before the whole form has arrived
		}
		if !strings.Contains(m, "the server responded with a status of 4") && !strings.Contains(m, "Clear-Site-Data header on") {
			b.Errorf("console: %s", m)
		}
	}
}

// cookie returns the cookie of that name that the browser would send, or nil.
func (b *tab) cookie(name string) *network.Cookie {
	b.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range got.Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (b *tab) sessionCookie() network.Cookie {
	b.Helper()
	c := b.cookie("sid")
	if c == nil {
		b.Fatal("there is no cookie sid")
	}
	return *c
}

func redacted(c network.Cookie) network.Cookie {
	c.Value = "(not shown)"
	return c
}
