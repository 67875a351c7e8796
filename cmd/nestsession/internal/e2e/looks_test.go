package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// contrasts returns the texts whose contrast with their background is below 4.5 (WCAG 2.2, 1.4.3),
// and the borders of fields below 3 (1.4.11).
const contrasts = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const light = c => c.slice(0, 3).map(v => v / 255)
		.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ratio = (a, b) => {
		const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
		return (x + 0.05) / (y + 0.05);
	};
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = rgb(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] > 0) return c;
		}
		return [255, 255, 255];
	};
	const low = [];
	for (const e of document.querySelectorAll("body *")) {
		const style = getComputedStyle(e);
		const texts = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
		if (texts && ratio(rgb(style.color), behind(e)) < 4.5) low.push(e.textContent.trim());
		if (e.matches("input:not([hidden])") && ratio(rgb(style.borderTopColor), behind(e)) < 3) low.push("the border of " + e.name);
	}
	return low;
})()`

// looks goes through all pages in light and dark, on a phone and a desktop.
func looks(t *testing.T, browser context.Context) {
	b := open(t, browser, "/")
	backgrounds := map[string]string{}
	each := func(page string) {
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			for device, size := range map[string][2]int64{"phone": {320, 640}, "desktop": {1280, 800}} {
				b.do(chromedp.EmulateViewport(size[0], size[1]))
				b.look(fmt.Sprintf("%s-%s-%s", page, scheme, device))
			}
			backgrounds[scheme] = run(b, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
		}
		b.wantNames(page)
	}
	each("home")
	b.navigate("/login")
	each("login")
	b.navigate("/register")
	each("register")
	b.do(chromedp.Evaluate[chromedp.Void](`document.forms[0].noValidate = true`))
	b.press("Sign up")
	each("register-wrong")
	b.signUp(strings.Repeat("averylongname", 4), "correct horse battery")
	each("me-long-name")
	b.press("Change password")
	each("password")
	b.navigate("/sessions")
	each("devices")
	b.navigate("/nowhere")
	each("not-found")
	b.navigate("/me")
	b.press("Log out")
	each("logged-out")
	b.navigate("/me")
	each("not-logged-in")
	b.signUp("sparrow", "correct horse battery")
	each("me")
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark have the same background %s", backgrounds["light"])
	}
	b.wantQuietConsole()
}

// look fails if a page is wider than the window (WCAG 2.2, 1.4.10) or hard to read.
func (b *tab) look(name string) {
	b.Helper()
	b.photograph(name)
	if run(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`)) {
		b.Errorf("%s: the page is wider than the window", name)
	}
	for _, low := range run(b, chromedp.Evaluate[[]string](contrasts)) {
		b.Errorf("%s: %q has too little contrast", name, low)
	}
}

// wantNames fails if an element that can be used has no name for a screen reader.
func (b *tab) wantNames(page string) {
	b.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.Fatal(err)
	}
	headings := 0
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role, name := string(n.Role.Value), ""
		if n.Name != nil {
			name = strings.Trim(string(n.Name.Value), `"`)
		}
		switch strings.Trim(role, `"`) {
		case "heading":
			headings++
		case "textbox", "button", "link", "RootWebArea":
			if name == "" {
				b.Errorf("%s: a %s has no name", page, role)
			}
		}
	}
	if headings != 1 {
		b.Errorf("%s: %d headings, want 1", page, headings)
	}
	if lang := run(b, chromedp.Evaluate[string](`document.documentElement.lang`)); lang != "en" {
		b.Errorf("%s: the language is %q", page, lang)
	}
}

// serveForm serves a page on another site, with a form that is sent to target. To
// a browser, localhost and 127.0.0.1 are different sites.
func serveForm(t *testing.T, target string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<form method="post" action="`+target+`"><button>Win a prize</button></form>`)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}
