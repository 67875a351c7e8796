package session_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store/memstore"
)

// sid is a cookie that other hosts of the domain can plant.
func sid(cfg session.Config) session.Config {
	cfg.Name = "sid"
	return cfg
}

// loggedIn is the value of the cookie of a new session of the user.
func loggedIn(t *testing.T, m *session.Manager[account], name string) string {
	t.Helper()
	b := newBrowser()
	login(t, m, b, name)
	return b.cookie()
}

// destroyed is the value of the cookie of a session that has ended.
func destroyed(t *testing.T, m *session.Manager[account]) string {
	t.Helper()
	b := newBrowser()
	login(t, m, b, "nobody")
	value := b.cookie()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) })
	return value
}

// come sends a request with cookies of the name, and returns as whom it is logged in.
func come(m *session.Manager[account], url, name string, values ...string) (who string, res *http.Response) {
	r := httptest.NewRequest("GET", url, nil)
	for _, v := range values {
		r.Header.Add("Cookie", name+"="+v)
	}
	if len(values) > 0 {
		r.Header["Cookie"] = []string{strings.Join(r.Header["Cookie"], "; ")}
	}
	res = answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { who = s.Data().name() }), r)
	return who, res
}

func TestTheOneOfSeveralCookiesThatLives(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, sid(session.Config{}))
	old := newBrowser()
	login(t, m, old, "nobody")
	superseded := old.cookie()
	login(t, m, old, "nobody") // the id before it ends
	for name, beside := range map[string]string{
		"a dead one":         destroyed(t, m),
		"a foreign one":      signed(t, "another secret, of 32 bytes or so", strings.Repeat("x", 32)),
		"an unknown one":     signed(t, secret, strings.Repeat("x", 32)),
		"a malformed one":    "x",
		"an empty one":       "",
		"one badly signed":   strings.Repeat("a", 32) + ".bad",
		"one superseded now": superseded,
	} {
		for _, first := range []bool{true, false} {
			alive := loggedIn(t, m, "ada")
			values := []string{alive, beside}
			if !first {
				values = []string{beside, alive}
			}
			who, res := come(m, "https://shop.test/", "sid", values...)
			if who != "ada" {
				t.Errorf("%s, alive first: %v: logged in as %q", name, first, who)
			}
			all := res.Header["Set-Cookie"]
			if last := all[len(all)-1]; !strings.HasPrefix(last, "sid="+alive+";") {
				t.Errorf("%s: the last line is not the session's cookie", name)
			}
			if len(all) < 2 {
				t.Errorf("%s: nothing is cleared", name)
			}
		}
	}
}

func TestSeveralCookiesOfOneSessionAreOne(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, sid(session.Config{}))
	b := newBrowser()
	login(t, m, b, "ada")
	before := b.cookie()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
	})
	after := b.cookie()
	for name, values := range map[string][]string{
		"twice": {after, after}, "nine times": strings.Split(strings.Repeat(after+" ", 8)+after, " "),
		"and before Renew": {after, before}, "before Renew first": {before, after},
	} {
		who, res := come(m, "https://shop.test/", "sid", values...)
		all := res.Header["Set-Cookie"]
		if who != "ada" || len(all) == 0 || !strings.HasPrefix(all[len(all)-1], "sid="+after+";") {
			t.Errorf("%s: logged in as %q, %d lines", name, who, len(all))
		}
	}
	if who, _ := come(m, "https://shop.test/", "sid", strings.Split(strings.Repeat("x ", 200)+after, " ")...); who != "ada" {
		t.Errorf("beside 200 malformed ones logged in as %q", who)
	}
}

// Which of two sessions is the user's cannot be told. Both cookies go, so that the next
// login works.
func TestOfTwoCookiesThatLiveNoneIsTaken(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, sid(session.Config{}))
	ada, eve := loggedIn(t, m, "ada"), loggedIn(t, m, "eve")
	who, res := come(m, "https://shop.test/a", "sid", eve, ada)
	if who != "" {
		t.Errorf("logged in as %q", who)
	}
	want := "sid=; Path=/; Max-Age=0"
	if !strings.Contains(setCookieLines(res), want) {
		t.Errorf("the own cookie stays: %s", setCookieLines(res))
	}
	for range 2 { // it is no accident of the order
		jar := newJar(t)
		at := &url.URL{Scheme: "https", Host: "www.shop.test", Path: "/app/login"}
		jar.SetCookies(at, []*http.Cookie{{Name: "sid", Value: ada, Path: "/"}, {Name: "sid", Value: eve, Path: "/app"}, {Name: "sid", Value: eve, Domain: "shop.test", Path: "/"}})
		r := httptest.NewRequest("POST", at.String(), nil)
		for _, c := range jar.Cookies(at) {
			r.AddCookie(c)
		}
		res := answer(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Login(r.Context(), "kim"); err != nil {
				t.Errorf("Login: %v", err)
			}
			s.Update(func(a *account) { a.User = &user{Name: "kim"} })
		}), r)
		jar.SetCookies(at, res.Cookies())
		left := jar.Cookies(at)
		if len(left) != 1 {
			t.Fatalf("%d cookies are left after the login", len(left))
		}
		if who, res := come(m, at.String(), "sid", left[0].Value); who != "kim" || len(res.Cookies()) != 0 {
			t.Errorf("after the login logged in as %q, %d cookies", who, len(res.Cookies()))
		}
	}
}

func newJar(t *testing.T) *cookiejar.Jar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

// setCookieLines are the response's, without values.
func setCookieLines(res *http.Response) string { return strings.Join(res.Header["Set-Cookie"], "\n") }

// cleared are what a response clears, as "domain path partitioned".
func cleared(res *http.Response) (all []string) {
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 && c.Value == "" {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %v", c.Domain, c.Path, c.Partitioned)))
		}
	}
	return all
}

func TestWhichCookiesAreCleared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  session.Config
		url  string
		want []string
		not  []string
		max  int
	}{
		"a host within a domain": {sid(session.Config{}), "https://www.shop.test/a/b", []string{
			"/ true", "shop.test / false", "shop.test / true", "www.shop.test / false", "/a false", "/a/ false", "/a/b false", "shop.test /a false", "shop.test /a/b true",
		}, []string{"/ false", "test / false", "/a/b/ false"}, 24},
		"a port":               {sid(session.Config{}), "https://www.shop.test:8443/", []string{"shop.test / false"}, []string{"/ false"}, 5},
		"a trailing slash":     {sid(session.Config{}), "https://shop.test/a/", []string{"/a false", "/a/ false", "/ true"}, []string{"/ false"}, 12},
		"an address":           {sid(session.Config{}), "https://127.0.0.1:8443/", []string{"/ true"}, []string{"/ false"}, 1},
		"an address of IPv6":   {sid(session.Config{}), "https://[::1]:8443/", []string{"/ true"}, []string{"/ false"}, 1},
		"localhost":            {sid(session.Config{}), "https://localhost/", []string{"/ true"}, []string{"/ false"}, 1},
		"a Domain":             {sid(session.Config{Cookie: session.Cookie{Domain: ".Shop.test"}}), "https://www.shop.test/", []string{"/ false", "www.shop.test / false"}, []string{"shop.test / false"}, 5},
		"behind a proxy":       {sid(session.Config{Cookie: session.Cookie{Domain: "shop.test", Path: "/app"}}), "https://backend:8080/app", []string{"shop.test / false"}, []string{"shop.test /app false"}, 7},
		"a Path":               {sid(session.Config{Cookie: session.Cookie{Path: "/app"}}), "https://shop.test/app/x", []string{"/ false", "/app true", "/app/ false"}, []string{"/app false"}, 15},
		"Partitioned":          {sid(session.Config{Cookie: session.Cookie{Partitioned: true}}), "https://shop.test/", []string{"/ false"}, []string{"/ true"}, 3},
		"__Host-, Partitioned": {session.Config{Cookie: session.Cookie{Partitioned: true}}, "https://www.shop.test/a", []string{"/ false"}, []string{"/ true", "shop.test / false", "/a false"}, 1},
		"__Secure-":            {session.Config{Cookie: session.Cookie{Path: "/app"}}, "https://shop.test/app", []string{"/ false", "shop.test /app false"}, []string{"/app false"}, 7},
		"plain HTTP": {sid(session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}), "http://www.shop.test/", []string{
			"shop.test / false", "www.shop.test / false",
		}, []string{"/ false", "/ true"}, 2},
		"a deep path":       {sid(session.Config{}), "https://www.shop.test" + strings.Repeat("/a", 100), []string{"shop.test / false", "shop.test /a false"}, nil, 48},
		"nothing but slash": {sid(session.Config{}), "https://www.shop.test" + strings.Repeat("/", 500_000), []string{"shop.test / false"}, nil, 48},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := memstore.New(memstore.Config{})
			c.cfg.Store, c.cfg.Scope = mem, "sid"
			m := newManager[account](t, c.cfg)
			alive := loggedIn(t, newManager[account](t, session.Config{Store: mem}), "ada")
			who, res := come(m, c.url, m.CookieName(), "bad", alive)
			got := cleared(res)
			if who != "ada" || len(got) > c.max {
				t.Errorf("logged in as %q, %d cookies cleared, want at most %d: %q", who, len(got), c.max, got)
			}
			has := "\n" + strings.Join(got, "\n") + "\n"
			for _, w := range c.want {
				if !strings.Contains(has, "\n"+w+"\n") {
					t.Errorf("%q is not cleared: %q", w, got)
				}
			}
			for _, n := range c.not {
				if strings.Contains(has, "\n"+n+"\n") {
					t.Errorf("%q is cleared: %q", n, got)
				}
			}
		})
	}
}

// Nothing is cleared where the session's own cookie cannot be sent: it might be the one
// under the attributes that are cleared.
func TestNothingIsClearedWithoutTheCookie(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, sid(session.Config{Store: s}))
	alive := loggedIn(t, m, "ada")
	s.before = failing("update", "touch")
	if who, res := come(m, "https://shop.test/", "sid", "bad", alive); who != "ada" || len(res.Cookies()) != 0 {
		t.Errorf("logged in as %q, %d cookies", who, len(res.Cookies()))
	}
	s.before = failing("load")
	if _, res := come(m, "https://shop.test/", "sid", "bad", alive); res.StatusCode != 503 || len(res.Cookies()) != 0 {
		t.Errorf("while the store is down answered %d, %d cookies", res.StatusCode, len(res.Cookies()))
	}
}

func TestFormerCookies(t *testing.T) {
	t.Parallel()
	mem := memstore.New(memstore.Config{})
	before := newManager[account](t, session.Config{Store: mem})
	for name, rules := range map[string]bool{"by default": false, "under Express.Rules": true} {
		m := newManager[account](t, session.Config{Store: mem, Name: "id", Scope: "sid", Express: session.ExpressOptions{Rules: rules}, FormerCookies: []session.FormerCookie{
			{Name: "older"}, {Name: "__Host-sid"}, {Domain: "shop.test"}, {Path: "/app"},
		}})
		alive := loggedIn(t, before, "ada")
		r := httptest.NewRequest("GET", "https://www.shop.test/", nil)
		r.Header.Set("Cookie", "older="+destroyed(t, before)+"; __Host-sid="+alive)
		var who string
		res := answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { who = s.Data().name() }), r)
		lines := setCookieLines(res)
		if who != "ada" || !strings.Contains(lines, "id="+alive) || !strings.Contains(lines, "__Host-sid=; Path=/; Max-Age=0") {
			t.Errorf("%s: logged in as %q with a former cookie; it was not replaced", name, who)
		}
	}
	m := newManager[account](t, session.Config{Store: mem, Name: "id", Scope: "sid", FormerCookies: []session.FormerCookie{{Name: "sid"}, {Domain: "shop.test"}}})
	ada, eve := loggedIn(t, before, "ada"), loggedIn(t, before, "eve")
	if who, res := come(m, "https://www.shop.test/", "sid", eve, ada); who != "" || len(cleared(res)) == 0 {
		t.Errorf("of two that live under a former name one was taken: %q", who)
	}
	if who, _ := come(m, "https://www.shop.test/", "sid", "bad", ada); who != "ada" {
		t.Errorf("beside a bad one under the former name logged in as %q", who)
	}
	r := httptest.NewRequest("GET", "https://www.shop.test/", nil)
	r.Header.Set("Cookie", "id=planted; sid="+ada) // by another host, while the names change
	var who string
	res := answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { who = s.Data().name() }), r)
	if lines := setCookieLines(res); who != "ada" || !strings.Contains(lines, "id="+ada) || !strings.Contains(lines, "sid=; Path=/; Max-Age=0") {
		t.Errorf("beside a planted one of the new name logged in as %q, with %s", who, lines)
	}
	for name, h := range map[string]handler{
		"login": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Login(r.Context(), "ada")
		},
		"logout": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) },
	} {
		r := httptest.NewRequest("GET", "https://www.shop.test/", nil)
		r.Header.Set("Cookie", "sid="+loggedIn(t, before, "ada")+"; id="+loggedIn(t, before, "ada"))
		lines := setCookieLines(answer(m.HandlerFunc(h), r))
		if !strings.Contains(lines, "sid=; Path=/; Max-Age=0") || !strings.Contains(lines, "id=; Domain=shop.test; Path=/; Max-Age=0") {
			t.Errorf("at %s the former cookies stay: %s", name, lines)
		}
	}
}

func TestNewRefusesFormerCookiesThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]session.Config{
		"FormerCookies[0].Path":   {FormerCookies: []session.FormerCookie{{Path: "app"}}},
		"FormerCookies[1].Name":   {FormerCookies: []session.FormerCookie{{Name: "a"}, {Name: "a b"}}},
		"FormerCookies[0]: cooki": {FormerCookies: []session.FormerCookie{{Domain: "a b"}}},
		"FormerCookies[0]: is":    {FormerCookies: []session.FormerCookie{{}}},
		"[0]: is the cookie as":   {FormerCookies: []session.FormerCookie{{Name: "__Host-sid"}}},
		"0]: is the cookie":       {Cookie: session.Cookie{Domain: "shop.test"}, FormerCookies: []session.FormerCookie{{Domain: ".Shop.test"}}},
		"browsers keep no":        {FormerCookies: []session.FormerCookie{{Name: "__Host-a", Domain: "shop.test"}}},
	} {
		cfg.Secrets = []string{secret}
		if _, err := session.New[account](cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
	// Before a Domain was added the default name was another.
	for _, cfg := range []session.Config{
		{Cookie: session.Cookie{Domain: "shop.test"}, FormerCookies: []session.FormerCookie{{}}},
		{FormerCookies: []session.FormerCookie{{Domain: "shop.test"}, {Partitioned: true}}},
	} {
		cfg.Store = memstore.New(memstore.Config{})
		now := newManager[account](t, cfg)
		then := newManager[account](t, session.Config{Store: cfg.Store, Cookie: session.Cookie{Domain: cfg.FormerCookies[0].Domain}})
		if who, _ := come(now, "https://shop.test/", then.CookieName(), loggedIn(t, then, "ada")); who != "ada" {
			t.Errorf("with the cookie %s logged in as %q", then.CookieName(), who)
		}
	}
}

// A thousand visitors with several cookies are one line of the log, and a thousand
// events; no cookie's value is in either.
func TestSeveralCookiesAreWarnedOfOnce(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	var events int
	clock := newClock()
	m := newManager[account](t, sid(session.Config{
		Logger: slog.New(slog.NewTextHandler(&text, nil)), Now: clock.now,
		OnEvent: func(_ context.Context, e session.Event) {
			if e.Reason == session.ReasonDuplicate {
				events++
			}
		},
	}))
	value := loggedIn(t, m, "ada")
	for range 1000 {
		clock.advance(3e9)
		come(m, "https://shop.test/", "sid", "bad", value)
	}
	if n := strings.Count(text.String(), "level=WARN"); n != 1 || events != 1000 {
		t.Errorf("%d warnings, %d events; want 1, 1000: %s", n, events, &text)
	}
	if id, _, _ := strings.Cut(value, "."); strings.Contains(text.String(), strings.TrimPrefix(id, "s%3A")) {
		t.Error("the log has the cookie's value")
	}
}

func TestInsecureFirstCookieTakesTheFirst(t *testing.T) {
	t.Parallel()
	cfg := express.Config(secret)
	m := newManager[account](t, cfg)
	ada, eve := loggedIn(t, m, "ada"), loggedIn(t, m, "eve")
	for _, c := range []struct {
		values []string
		want   string
	}{{[]string{ada, eve}, "ada"}, {[]string{eve, ada}, "eve"}, {[]string{"bad", ada}, ""}} {
		if who, res := come(m, "http://shop.test/", m.CookieName(), c.values...); who != c.want || len(res.Cookies()) != 0 {
			t.Errorf("logged in as %q, want %q; %d cookies", who, c.want, len(res.Cookies()))
		}
	}
}
