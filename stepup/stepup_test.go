package stepup_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/stepup"
)

// A user whose login is too old logs in again, in the same session, and comes back to the
// page. What the session held is there.
func TestAPageSendsItsUserToTheLoginAndBack(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.login("ada")
	ada.do("POST", "/cart", "item=tea")
	if got := ada.do("GET", "/keys?of=a%26b", ""); got != "the keys of a&b" {
		t.Fatalf("directly after the login: %s", got)
	}
	b.pass(11 * time.Minute)
	ada.do("GET", "/keys?of=a%26b", "")
	if got := ada.res.Request.URL.Path; got != "/login" {
		t.Fatalf("eleven minutes after the login the browser is at %s", got)
	}
	if got := ada.login("ada"); got != "the keys of a&b" {
		t.Errorf("after the second login: %s, at %s", got, ada.res.Request.URL)
	}
	if got := ada.do("GET", "/cart", ""); got != "[tea] false" {
		t.Errorf("the session holds %s after the second login", got)
	}
	if got := ada.do("GET", "/plain", ""); got != "plain" {
		t.Errorf("middleware does not let it pass: %s", got)
	}
}

// What the user has posted is posted again by a click after the login, byte for byte and
// once. Passwords are not stored: the user enters them again.
func TestAFormIsNotLost(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.login("ada")
	b.pass(time.Hour)
	form := url.Values{"to": {`<b>"O'Hara" & söhne</b>`, "second"}, "note": {"two\r\nlines"}, "empty": {""}, "Password": {"correct horse"}}
	ada.do("POST", "/pay?account=1&x=%2F", form.Encode(), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if got := ada.res.Request.URL.Path; got != "/login" || len(b.paid()) != 0 {
		t.Fatalf("the browser is at %s, paid %q", got, b.paid())
	}
	if got := ada.do("GET", "/cart", ""); got != "[] true" {
		t.Errorf("the session: %s", got)
	}
	for rec := range b.sessions.List(t.Context(), "user:ada") {
		if text, err := json.Marshal(rec.Data); err != nil || strings.Contains(string(text), "correct horse") {
			t.Errorf("the session holds the password: %s (%v)", text, err)
		}
	}
	ada.do("GET", "/pay", "") // some other page
	ada.do("POST", "/pay?account=1&x=%2F", form.Encode())
	ada.login("ada")
	back := ada.res.Request.URL
	if ada.res.StatusCode != http.StatusOK || back.Path != "/again" || len(b.paid()) != 0 {
		t.Fatalf("after the login the browser is at %s, %d, paid %q", back, ada.res.StatusCode, b.paid())
	}
	if strings.Contains(ada.page, "<script") || strings.Contains(ada.page, "correct horse") || !strings.Contains(ada.page, `type="password" name="Password"`) {
		t.Errorf("the page: %s", ada.page)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"} {
		if got := ada.res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := ada.submit(url.Values{"Password": form["Password"]}); got != "paid" {
		t.Errorf("sent again: %s", got)
	}
	if want := []string{"account=1&x=%2F " + form.Encode()}; !slices.Equal(b.paid(), want) {
		t.Errorf("posted %q, want %q", b.paid(), want)
	}
	// It is not kept any more.
	if got := ada.do("GET", "/cart", ""); got != "[] false" {
		t.Errorf("the session: %s", got)
	}
	ada.do("GET", back.RequestURI(), "")
	if ada.res.StatusCode != http.StatusGone || strings.Contains(ada.page, "<form") {
		t.Errorf("shown once more: %d %s", ada.res.StatusCode, ada.page)
	}
}

// The form of one user is not sent by another who logs in at the same browser.
func TestAnotherUserDoesNotGetTheForm(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.login("ada")
	b.pass(time.Hour)
	ada.do("POST", "/pay", "to=bob")
	ada.login("eve")
	if ada.res.StatusCode != http.StatusGone || strings.Contains(ada.page, "bob") {
		t.Errorf("%d %s", ada.res.StatusCode, ada.page)
	}
}

// A visitor, or a user whose session has expired, keeps the form too.
func TestAVisitorKeepsTheForm(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.do("POST", "/pay", "to=bob")
	ada.login("ada")
	if ada.submit(nil); !slices.Equal(b.paid(), []string{" to=bob"}) {
		t.Errorf("posted %q", b.paid())
	}
}

// A newer form replaces the one before; the page of the older one says that it is gone.
func TestOneFormIsKept(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.do("POST", "/pay", "to=first")
	first := ada.res.Request.URL
	ada.do("POST", "/pay", "to=second")
	second := ada.res.Request.URL
	ada.do("GET", stepup.Next(&http.Request{Method: "GET", URL: first}), "")
	if ada.res.StatusCode != http.StatusGone {
		t.Errorf("the older form: %d %s", ada.res.StatusCode, ada.page)
	}
	ada.do("GET", stepup.Next(&http.Request{Method: "GET", URL: second}), "")
	if !strings.Contains(ada.page, `value="second"`) {
		t.Errorf("the newer form: %s", ada.page)
	}
}

// What looks at the page without showing it does not take the form: a program that asks for its
// head, or another method.
func TestOnlyAPageTakesTheForm(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.do("POST", "/pay", "to=bob")
	back := stepup.Next(&http.Request{Method: "GET", URL: ada.res.Request.URL})
	for _, method := range []string{"HEAD", "POST"} {
		if ada.do(method, back, ""); ada.res.StatusCode != http.StatusMethodNotAllowed || ada.res.Header.Get("Allow") != "GET" {
			t.Errorf("%s: %d", method, ada.res.StatusCode)
		}
	}
	if ada.do("GET", back, ""); ada.res.StatusCode != http.StatusOK || !strings.Contains(ada.page, `value="bob"`) {
		t.Errorf("%d %s", ada.res.StatusCode, ada.page)
	}
}

// Fields that hold a secret are not kept, and the page asks for them again.
func TestSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	kept := []string{"to", "shipping", "passenger", "compass", "pinned", "option", "bypass_zone", "note[pintxt]"}
	secret := []string{"password", "newPassword", "PASSWD", "passwort", "pwd", "user[pass]", "passphrase", "client_secret", "pin", "cardPin", "PIN2", "otp-code", "totp", "cvv", "cardCVC"}
	form := url.Values{}
	for _, name := range append(kept, secret...) {
		form.Set(name, "the-value")
	}
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.do("POST", "/pay", form.Encode())
	ada.login("ada")
	for _, name := range kept {
		if !strings.Contains(ada.page, `type="hidden" name="`+name+`" value="the-value"`) {
			t.Errorf("%s is not kept", name)
		}
	}
	for _, name := range secret {
		if !strings.Contains(ada.page, `type="password" name="`+name+`"`) {
			t.Errorf("%s is not asked for again", name)
		}
	}
	if n := strings.Count(ada.page, "the-value"); n != len(kept) {
		t.Errorf("the page has %d values, want %d: %s", n, len(kept), ada.page)
	}
}

// Two requests for the page at the same time: one gets the form.
func TestTheFormIsTakenOnce(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	ada.do("POST", "/pay", "to=bob")
	back := stepup.Next(&http.Request{Method: "GET", URL: ada.res.Request.URL})
	status := make(chan int, 8)
	for range cap(status) {
		go func() {
			res, err := ada.client.Get(b.server.URL + back)
			if err != nil {
				status <- 0
				return
			}
			status <- res.StatusCode
			_ = res.Body.Close()
		}()
	}
	got := map[int]int{}
	for range cap(status) {
		got[<-status]++
	}
	if got[http.StatusOK] != 1 || got[http.StatusGone] != cap(status)-1 {
		t.Errorf("the statuses: %v", got)
	}
}

// Files are not kept. The page says so and has an input for each.
func TestAFormWithFiles(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	ada := newBrowser(t, b)
	body := strings.ReplaceAll(`--b
Content-Disposition: form-data; name="to"

bob
--b
Content-Disposition: form-data; name="scan"; filename="scan.png"
Content-Type: image/png

`+strings.Repeat("\x89PNG", 50_000)+`
--b
Content-Disposition: form-data; name="password"

correct horse
--b
Content-Disposition: form-data; name="note"

after the file
--b--
`, "\n", "\r\n")
	ada.do("POST", "/pay", body, "Content-Type", "multipart/form-data; boundary=b")
	ada.login("ada")
	for _, want := range []string{`enctype="multipart/form-data"`, `type="file" name="scan"`, `value="bob"`, `value="after the file"`, `type="password" name="password"`, "Choose the file once more"} {
		if !strings.Contains(ada.page, want) {
			t.Errorf("the page has no %s: %s", want, ada.page)
		}
	}
	if strings.Contains(ada.page, "PNG") || strings.Contains(ada.page, "correct horse") {
		t.Errorf("the page: %s", ada.page)
	}
	b.pass(time.Hour)
	if ada.do("POST", "/pay", body+"cut", "Content-Type", "multipart/form-data; boundary=other"); ada.res.StatusCode != http.StatusForbidden {
		t.Errorf("a broken form: %d %s", ada.res.StatusCode, ada.page)
	}
}

// A form that cannot be kept is refused by a page that says why, and nothing is stored.
func TestFormsThatAreNotKept(t *testing.T) {
	t.Parallel()
	small := usual()
	small.MaxBytes = 100
	none := stepup.Config[account]{Login: "/login"}
	for name, c := range map[string]struct {
		cfg                stepup.Config[account]
		method, body, says string
		header             []string
	}{
		"too large":             {small, "POST", "to=" + strings.Repeat("x", 101), "too large to keep", nil},
		"much too large":        {small, "POST", "to=" + strings.Repeat("x", 10_000), "too large to keep", nil},
		"too many fields":       {small, "POST", strings.Repeat("a&", 30), "too large to keep", nil},
		"from another site":     {usual(), "POST", "to=eve", "Another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}},
		"from another origin":   {usual(), "POST", "to=eve", "Another site", []string{"Origin", "https://evil.test"}},
		"not UTF-8":             {usual(), "POST", "to=%ff", "Log in again", nil},
		"not a form":            {usual(), "POST", "{}", "Log in again", []string{"Content-Type", "application/json"}},
		"not a POST":            {usual(), "PUT", "to=bob", "Log in again", nil},
		"forms are not kept":    {none, "POST", "to=bob", "Log in again", nil},
		"escaped three times":   {small, "POST", "to=" + strings.Repeat("%78", 101), "too large to keep", nil},
		"a name is what counts": {small, "POST", strings.Repeat("x", 101) + "=", "too large to keep", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(t, c.cfg)
			ada := newBrowser(t, b)
			ada.login("ada")
			b.pass(time.Hour)
			ada.do(c.method, "/pay", c.body, c.header...)
			if ada.res.StatusCode != http.StatusForbidden || !strings.Contains(ada.page, c.says) || len(b.paid()) != 0 {
				t.Errorf("%d %s", ada.res.StatusCode, ada.page)
			}
			if got := ada.do("GET", "/cart", ""); got != "[] false" {
				t.Errorf("the session: %s", got)
			}
		})
	}
}

// A program gets a problem that says what is missing, whatever it sends.
func TestAProgramGetsAProblem(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	api := newBrowser(t, b)
	ask := func(method, path string, header ...string) (p map[string]any) {
		t.Helper()
		api.do(method, path, "to=bob", append([]string{"Accept", "*/*"}, header...)...)
		if api.res.StatusCode != http.StatusForbidden || api.res.Header.Get("Content-Type") != "application/problem+json" || api.res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d, %v: %s", api.res.StatusCode, api.res.Header, api.page)
		}
		if err := json.Unmarshal([]byte(api.page), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	want := func(p map[string]any, missing string, more map[string]any) {
		t.Helper()
		all := map[string]any{"type": stepup.Type, "status": 403.0, "error": "insufficient_user_authentication", "login": "/login"}
		for name, value := range more {
			all[name] = value
		}
		for name, value := range all {
			if p[name] != value {
				t.Errorf("%s is %v, want %v", name, p[name], value)
			}
		}
		var got []string
		list, _ := p["missing"].([]any)
		for _, m := range list {
			got = append(got, m.(string))
		}
		if strings.Join(got, " ") != missing || p["title"] == "" || p["detail"] == "" {
			t.Errorf("missing %q, want %q: %v", got, missing, p)
		}
	}
	want(ask("POST", "/pay"), "login", map[string]any{"max_age": 600.0, "acr_values": nil})
	api.do("POST", "/login", "user=ada&by=password", "Accept", "*/*")
	want(ask("GET", "/strong"), "acr_values", map[string]any{"max_age": nil, "acr_values": "password totp"})
	b.pass(time.Hour)
	want(ask("POST", "/pay"), "max_age", map[string]any{"max_age": 600.0})
	// A script in a page asks for anything, and is no page.
	want(ask("POST", "/pay", "Sec-Fetch-Mode", "cors", "Accept", "text/html"), "max_age", nil)
	if got := api.res.Header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("a client with a cookie gets WWW-Authenticate: %s", got)
	}
	api.do("POST", "/login", "user=ada&by=password+totp", "Accept", "*/*")
	if got := api.do("GET", "/strong", "", "Accept", "*/*"); got != "strong" {
		t.Errorf("after a login by both: %s", got)
	}
	if got := api.do("POST", "/pay", "to=bob", "Accept", "*/*"); got != "paid" {
		t.Errorf("after a login by both: %s", got)
	}
}

// A client with a bearer token gets the challenge of RFC 9470 beside the problem, logs in
// again with its token, and goes on with the new one.
func TestAClientWithATokenStepsUp(t *testing.T) {
	t.Parallel()
	b := newBank(t, usual())
	app := newBrowser(t, b)
	app.client.Jar = nil
	app.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	bearer := "Bearer"
	send := func(method, path, body string) string {
		t.Helper()
		page := app.do(method, path, body, "Accept", "application/json", "Authorization", bearer)
		if got := app.res.Header.Get("X-Token"); got != "" {
			bearer = "Bearer " + got
		}
		return page
	}
	send("POST", "/login", "user=ada")
	b.pass(time.Hour)
	send("POST", "/pay", "to=bob")
	want := `Bearer error="insufficient_user_authentication", error_description="A newer or stronger login is needed", max_age="600"`
	if got := app.res.Header.Get("WWW-Authenticate"); app.res.StatusCode != http.StatusForbidden || got != want {
		t.Errorf("%d, WWW-Authenticate: %s", app.res.StatusCode, got)
	}
	before := bearer
	send("POST", "/login", "user=ada")
	if got := send("POST", "/pay", "to=bob"); got != "paid" || bearer == before {
		t.Errorf("after the second login: %s", got)
	}
}

// A rule decides by the age, with a minute for clocks that differ, and by the methods.
func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	level := func(methods []string) bool {
		return slices.Contains(methods, "aal2") || slices.Contains(methods, "aal3")
	}
	for _, c := range []struct {
		about   string
		rule    stepup.Rule
		age     time.Duration
		methods string
		missing string
	}{
		{"any login", stepup.Rule{}, 1000 * time.Hour, "", ""},
		{"exactly as old", recent, 10 * time.Minute, "", ""},
		{"older", recent, 10*time.Minute + 1, "", "max_age"},
		{"a clock that is behind", recent, -time.Minute, "", ""},
		{"a login in the future", recent, -2 * time.Minute, "", "max_age"},
		{"an age that no login has", stepup.Rule{MaxAge: -time.Second}, 0, "", "max_age"},
		{"an age that no login has, in the future", stepup.Rule{MaxAge: -time.Second}, -5 * time.Second, "", "max_age"},
		{"all methods", stepup.Rule{Methods: []string{"totp", "password"}}, 0, "password totp sms", ""},
		{"one method", stepup.Rule{Methods: []string{"totp", "password"}}, 0, "password", "acr_values"},
		{"none", stepup.Rule{Methods: []string{"totp"}}, 0, "", "acr_values"},
		{"a higher level", stepup.Rule{Methods: []string{"aal2"}, Satisfies: level}, 0, "aal3", ""},
		{"a lower level, and old", stepup.Rule{MaxAge: time.Minute, Methods: []string{"aal2"}, Satisfies: level}, time.Hour, "aal1", "max_age acr_values"},
	} {
		missing := ""
		if p := c.rule.Check(loggedIn{now.Add(-c.age), strings.Fields(c.methods)}, now); p != nil {
			missing = strings.Join(p.Missing, " ")
		}
		if missing != c.missing {
			t.Errorf("%s: missing %q, want %q", c.about, missing, c.missing)
		}
	}
}

type loggedIn struct {
	at time.Time
	by []string
}

func (l loggedIn) AuthenticatedAt() time.Time { return l.at }
func (l loggedIn) AuthenticatedBy() []string  { return l.by }

// The way back leads to no other site.
func TestNext(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/keys?of=1": "/keys?of=1", "/": "/", "/a//b": "/a//b", "/%2F/evil.test": "/%2F/evil.test", "/?to=https://evil.test": "/?to=https://evil.test",
		"/.//evil.test": "/.//evil.test", "/..//evil.test": "/..//evil.test", "/@evil.test": "/@evil.test", "/\u2215evil.test": "/\u2215evil.test", // of this site, to a browser
		"": "/", "keys": "/", "///evil.test": "/", "/\x00/evil.test": "/", "/\r/evil.test": "/", "/\x7f": "/", "?next=//evil.test": "/", "#": "/", "data:,": "/", "..//evil.test": "/", "//evil.test": "/", `/\evil.test`: "/", `\\evil.test`: "/", "https://evil.test": "/", "javascript:alert(1)": "/",
		"/\t/evil.test": "/", "/\n/evil.test": "/", "\t//evil.test": "/", " //evil.test": "/", "/a b": "/", "/%zz": "/", "/" + strings.Repeat("x", 3000): "/",
	} {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/login", RawQuery: url.Values{"next": {path}}.Encode()}}
		if got := stepup.Next(r); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	field := usual().Form
	for want, cfg := range map[string]stepup.Config[account]{
		"stepup: Config.Login: ":                   {Login: "https://login.test/"},
		"stepup: Config.Resume: ":                  {Login: "/login", Resume: "//again", Form: field},
		"needed both":                              {Login: "/login", Resume: "/again"},
		"are needed both, or neither":              {Login: "/login", Form: field},
		"stepup: Config.Resume has no effect with": {Resume: "/again", Form: field},
		"stepup: Config.MaxBytes: -1":              {MaxBytes: -1},
	} {
		if _, err := stepup.New[account](nil, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
	if _, err := stepup.New[account](nil, stepup.Config[account]{}); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
}
