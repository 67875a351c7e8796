package session_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// plain and secure are requests by HTTP and HTTPS.
func plain(path string) *http.Request {
	r := httptest.NewRequest("GET", "http://shop.test"+path, nil)
	return r
}

func secured(path string) *http.Request {
	return httptest.NewRequest("GET", "https://shop.test"+path, nil)
}

var value = regexp.MustCompile(`=s%3A[^;]*`)

// setCookies are the Set-Cookie lines of a response, with V for the signed value.
func setCookies(res *http.Response) string {
	return value.ReplaceAllString(strings.Join(res.Header.Values("Set-Cookie"), "\n"), "=V")
}

func storing(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
	s.Update(func(a *account) { a.Count++ })
}

func TestTheCookieOnTheWire(t *testing.T) {
	t.Parallel()
	clk := newClock() // 2026-03-01 12:00:00
	https := http.Header{"X-Forwarded-Proto": {"https"}}
	for name, c := range map[string]struct {
		cfg    session.Config
		r      *http.Request
		header http.Header
		want   string
	}{
		"default": {session.Config{}, secured("/"), nil,
			"__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"max age": {session.Config{Cookie: session.Cookie{MaxAge: 90 * time.Minute}}, secured("/"), nil,
			"__Host-sid=V; Path=/; Max-Age=5400; Expires=Sun, 01 Mar 2026 13:30:00 GMT; HttpOnly; Secure; SameSite=Lax"},
		"date": {session.Config{Cookie: session.Cookie{Expires: clk.now().Add(time.Hour)}}, secured("/"), nil,
			"__Host-sid=V; Path=/; Max-Age=3600; Expires=Sun, 01 Mar 2026 13:00:00 GMT; HttpOnly; Secure; SameSite=Lax"},
		"domain": {session.Config{Cookie: session.Cookie{Domain: "shop.test"}}, secured("/"), nil,
			"__Secure-sid=V; Domain=shop.test; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"path": {session.Config{Cookie: session.Cookie{Path: "/app"}}, secured("/app/x"), nil,
			"__Secure-sid=V; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		"no path": {session.Config{Cookie: session.Cookie{Path: session.NoPath}}, secured("/a/b"), nil,
			"__Secure-sid=V; HttpOnly; Secure; SameSite=Lax"},
		"everything": {session.Config{Name: "id", Cookie: session.Cookie{
			SameSite: session.SameSiteNone, Partitioned: true, Priority: session.PriorityHigh, InsecureScriptAccess: true,
		}}, secured("/"), nil,
			"id=V; Path=/; Secure; Partitioned; Priority=High; SameSite=None"},
		"strict": {session.Config{Cookie: session.Cookie{SameSite: session.SameSiteStrict}}, secured("/"), nil,
			"__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Strict"},
		"said nothing": {session.Config{Cookie: session.Cookie{SameSite: session.SameSiteOmit}}, secured("/"), nil,
			"__Host-sid=V; Path=/; HttpOnly; Secure"},

		"path said": {session.Config{Cookie: session.Cookie{Path: "/"}}, secured("/"), nil,
			"__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},

		"plain HTTP":             {session.Config{}, plain("/"), nil, ""},
		"insecure":               {session.Config{Cookie: session.Cookie{Secure: session.Insecure}}, plain("/"), nil, "sid=V; Path=/; HttpOnly; SameSite=Lax"},
		"auto over plain HTTP":   {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}, plain("/"), nil, "sid=V; Path=/; HttpOnly; SameSite=Lax"},
		"auto over HTTPS":        {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto}}, secured("/"), nil, "sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"same-site auto, plain":  {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto, SameSite: session.SameSiteAuto}}, plain("/"), nil, "sid=V; Path=/; HttpOnly; SameSite=Lax"},
		"same-site auto, secure": {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto, SameSite: session.SameSiteAuto}}, secured("/"), nil, "sid=V; Path=/; HttpOnly; Secure; SameSite=None"},

		"proxy not trusted":      {session.Config{}, plain("/"), https, ""},
		"proxy trusted":          {session.Config{IsSecure: session.ForwardedHTTPS}, plain("/"), https, "__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"proxy trusted, a list":  {session.Config{IsSecure: session.ForwardedHTTPS}, plain("/"), http.Header{"X-Forwarded-Proto": {" HTTPS , http"}}, "__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"proxy trusted, last":    {session.Config{IsSecure: session.ForwardedHTTPS}, plain("/"), http.Header{"X-Forwarded-Proto": {"http, https"}}, ""},
		"proxy trusted, silent":  {session.Config{IsSecure: session.ForwardedHTTPS}, plain("/"), nil, ""},
		"proxy not trusted, TLS": {session.Config{}, secured("/"), nil, "__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"the framework says so": {session.Config{IsSecure: func(r *http.Request) bool { return r.Header.Get("X-Https") == "on" }}, plain("/"), http.Header{"X-Https": {"on"}},
			"__Host-sid=V; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"the framework says no": {session.Config{IsSecure: func(*http.Request) bool { return false }}, plain("/"), https, ""},

		"by a function": {session.Config{Name: "id", CookieFunc: func(r *http.Request) session.Cookie {
			return session.Cookie{Path: r.URL.Path, MaxAge: time.Hour, Secure: session.SecureAuto, SameSite: session.SameSiteAuto}
		}}, plain("/a/b"), nil, "id=V; Path=/a/b; Max-Age=3600; Expires=Sun, 01 Mar 2026 13:00:00 GMT; HttpOnly; SameSite=Lax"},
		"by a function, over HTTPS": {session.Config{Name: "id", CookieFunc: func(r *http.Request) session.Cookie {
			return session.Cookie{Path: r.URL.Path, Secure: session.SecureAuto, SameSite: session.SameSiteAuto}
		}}, secured("/a/b"), nil, "id=V; Path=/a/b; HttpOnly; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Now = clk.now
			m := newManager[account](t, c.cfg)
			for key, values := range c.header {
				c.r.Header[key] = values
			}
			res := answer(m.HandlerFunc(storing), c.r)
			if got := setCookies(res); got != c.want {
				t.Errorf("Set-Cookie:\n%s\nwant\n%s", got, c.want)
			}
			if stored := len(list(t, m, "")); stored == 1 != (c.want != "") {
				t.Errorf("%d sessions stored for the cookie %q", stored, c.want)
			}
		})
	}
}

// Over plain HTTP a Secure cookie does not travel: nothing is stored that its client
// could not return to, an event says so each time, and the log once.
func TestASecureCookieOverPlainHTTP(t *testing.T) {
	t.Parallel()
	var log journal
	var text bytes.Buffer
	clk := newClock()
	m := newManager[account](t, session.Config{OnEvent: log.add, Logger: slog.New(slog.NewTextHandler(&text, nil)), Now: clk.now})
	for range 3 {
		res := answer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			storing(w, r, s)
			_, _ = w.Write([]byte("the page"))
		}), plain("/"))
		if got := body(t, res); res.StatusCode != 200 || got != "the page" || setCookies(res) != "" {
			t.Errorf("answered %d %q %s", res.StatusCode, got, setCookies(res))
		}
		if got := log.kinds(); got != "cookie not sent: secure over plain HTTP, dropped: secure over plain HTTP" {
			t.Errorf("events: %q", got)
		}
	}
	if n := strings.Count(text.String(), "level=WARN"); n != 1 || !strings.Contains(text.String(), "SecureAuto") {
		t.Errorf("%d warnings, want one that says what to do:\n%s", n, &text)
	}
	if n := len(list(t, m, "")); n != 0 {
		t.Errorf("%d sessions stored", n)
	}
	clk.advance(time.Hour)
	answer(m.HandlerFunc(storing), plain("/"))
	if n := strings.Count(text.String(), "level=WARN"); n != 2 {
		t.Errorf("an hour later there are %d warnings, want another", n)
	}
	// A session that exists is read and saved nevertheless, without sending its cookie.
	b := newBrowser()
	login(t, m, b, "ada")
	r := b.request("GET", "/")
	r.TLS = nil
	res := answer(m.HandlerFunc(storing), r)
	if data := peek(m, b); data.Count != 1 || setCookies(res) != "" {
		t.Errorf("the session has %+v, Set-Cookie %s", data, setCookies(res))
	}
}

// Where the cookie does not reach there are no sessions (RFC 6265, 5.1.4), as the
// browser counts: whatever a mux has taken off the path.
func TestSessionsAreWhereTheCookieReaches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, target string
		inside       bool
	}{
		{"", "/anything", true}, {"/", "/anything", true}, {session.NoPath, "/anything", true},
		{"/app", "/app", true}, {"/app", "/app/x", true}, {"/app", "/app?q=1", true}, {"/app/", "/app/x", true},
		{"/app", "/application", false}, {"/app", "/", false}, {"/app", "/APP", false}, {"/app/", "/app", false}, {"/app", "/x/app", false},
	} {
		t.Run(c.path+" "+c.target, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{Cookie: session.Cookie{Path: c.path}})
			res := answer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, err := m.Load(r.Context())
				if _, ok := m.From(r.Context()); ok != c.inside || (err == nil) != c.inside {
					t.Errorf("From found a session: %v; Load: %v", ok, err)
				}
				if err != nil && err != session.ErrOutsidePath {
					t.Errorf("Load: %v", err)
				}
				if err == nil {
					s.Update(func(a *account) { a.Count++ })
				}
				fmt.Fprint(w, "the page")
			})), secured(c.target))
			if got := body(t, res); got != "the page" || (setCookies(res) != "") != c.inside {
				t.Errorf("answered %d %q, Set-Cookie %q", res.StatusCode, got, setCookies(res))
			}
			if _, err := m.Open(secured(c.target)); (err == nil) != c.inside {
				t.Errorf("Open: %v", err)
			}
		})
	}
	for name, target := range map[string]string{
		"origin form": "/app/x?to=http://other.test/", "absolute form": "https://shop.test/app/x?to=http://other.test/",
	} {
		t.Run("StripPrefix, "+name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{Cookie: session.Cookie{Path: "/app"}})
			r := secured("/app/x")
			r.RequestURI = target // RFC 9112, 3.2
			res := answer(http.StripPrefix("/app", m.HandlerFunc(storing)), r)
			if res.StatusCode != 200 || setCookies(res) == "" {
				t.Errorf("answered %d, Set-Cookie %q", res.StatusCode, setCookies(res))
			}
		})
	}
	t.Run("a route that needs one", func(t *testing.T) {
		t.Parallel()
		var text bytes.Buffer
		m := newManager[account](t, session.Config{Cookie: session.Cookie{Path: "/app"}, Logger: slog.New(slog.NewTextHandler(&text, nil))})
		res := answer(m.HandlerFunc(storing), secured("/elsewhere"))
		if res.StatusCode != http.StatusInternalServerError || !strings.Contains(text.String(), "Cookie.Path") {
			t.Errorf("answered %d, log %q", res.StatusCode, &text)
		}
	})
}

// A destroyed session's cookie is expired under the same name, path, domain and flags,
// or the browser would keep it.
func TestADestroyedSessionsCookieIsExpired(t *testing.T) {
	t.Parallel()
	destroy := func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }
	for name, c := range map[string]struct {
		cfg session.Config
		own *session.Cookie // the session's
	}{
		"default": {session.Config{}, nil},
		"all": {session.Config{Name: "id", Cookie: session.Cookie{
			Domain: "shop.test", Path: "/app", MaxAge: time.Hour, SameSite: session.SameSiteNone, Partitioned: true, Priority: session.PriorityLow,
		}}, nil},
		"no path":         {session.Config{Cookie: session.Cookie{Path: session.NoPath}}, nil},
		"auto":            {session.Config{Cookie: session.Cookie{Secure: session.SecureAuto, SameSite: session.SameSiteAuto}}, nil},
		"the session's":   {session.Config{Name: "id"}, &session.Cookie{Path: "/app/sub", Domain: "shop.test", SameSite: session.SameSiteStrict}},
		"with a function": {session.Config{CookieFunc: func(r *http.Request) session.Cookie { return session.Cookie{Domain: r.URL.Hostname()} }}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, c.cfg)
			b := newBrowser()
			set := b.visit(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				storing(w, r, s)
				if c.own != nil {
					s.SetCookie(*c.own)
				}
			}), "/app/sub/x")
			expired := b.visit(m.HandlerFunc(destroy), "/app/sub/x")
			attributes := func(res *http.Response) string {
				lines := strings.Split(setCookies(res), "\n")
				if len(lines) != 1 {
					t.Fatalf("Set-Cookie: %q", lines)
				}
				return regexp.MustCompile(`=V|; (Expires|Max-Age)=[^;]*`).ReplaceAllString(strings.Replace(lines[0], "=;", ";", 1), "")
			}
			if got, want := attributes(expired), attributes(set); got != want {
				t.Errorf("expired as %q, was set as %q", got, want)
			}
			if cs := expired.Cookies(); cs[0].Value != "" || cs[0].Expires.Year() != 1970 {
				t.Errorf("expired by %q", expired.Header.Values("Set-Cookie"))
			}
		})
	}
	t.Run("KeepDeadCookie", func(t *testing.T) {
		t.Parallel()
		m := newManager[account](t, session.Config{Express: session.ExpressOptions{KeepDeadCookie: true}})
		b := newBrowser()
		login(t, m, b, "ada")
		if res := do(m, b, destroy); setCookies(res) != "" {
			t.Errorf("Set-Cookie: %s", setCookies(res))
		}
	})
}

// A secret that is rotated out: cookies that it signed are accepted, and replaced at
// the next visit, with the same session behind them.
func TestSecretsAreRotated(t *testing.T) {
	t.Parallel()
	const older, newer = "the older secret, of 32 bytes....", "the newer secret, of 32 bytes...."
	mem := memstore.New(memstore.Config{})
	manager := func(secrets ...string) *session.Manager[account] {
		return newManager[account](t, session.Config{Store: mem, Secrets: secrets})
	}
	b := newBrowser()
	login(t, manager(older), b, "ada")
	old := b.fork()
	m := manager(newer, older)
	res := do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if who := s.Data().name(); who != "ada" {
			t.Errorf("logged in as %q", who)
		}
	})
	if len(res.Cookies()) != 1 || b.cookie() == old.cookie() {
		t.Fatalf("the cookie was not signed anew: %v", res.Cookies())
	}
	if res := do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {}); len(res.Cookies()) != 0 {
		t.Errorf("signed once more: %v", res.Cookies())
	}
	last := manager(newer)
	if who, was := whoami(last, b), whoami(last, old); who != "ada" || was != "" {
		t.Errorf("without the older secret logged in as %q, and with its cookie as %q", who, was)
	}
	if n := len(records(t, mem)); n != 1 {
		t.Errorf("%d records", n)
	}
}

// A cookie of CookieFunc's that cannot be written is an error of that request, and no
// way to put something into the response's header.
func TestACookieThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"evil.test;HttpOnly", "a b", "evil.test\r\nX-Injected: 1", "a,b"} {
		m := newManager[account](t, session.Config{CookieFunc: func(r *http.Request) session.Cookie {
			return session.Cookie{Domain: r.Header.Get("X-Domain")}
		}})
		for name, h := range map[string]handler{
			"a new session": storing,
			"a change":      storing,
			"a logout":      func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) },
		} {
			b := newBrowser()
			login(t, m, b, "ada")
			r := b.request("GET", "/")
			if name == "a new session" {
				r = secured("/")
			}
			r.Header.Set("X-Domain", domain)
			res := answer(m.HandlerFunc(h), r)
			if name != "a logout" && res.StatusCode != http.StatusInternalServerError {
				t.Errorf("%s with the domain %q was answered %d", name, domain, res.StatusCode)
			}
			for _, line := range res.Header.Values("Set-Cookie") {
				if line == "" || strings.Contains(line, "evil") || strings.Contains(line, domain) {
					t.Errorf("%s with the domain %q sets %q", name, domain, line)
				}
			}
		}
	}
}

// The request came over TLS if its connection did, whatever the address says.
func TestTLSIsSecure(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	r := plain("/")
	r.TLS = &tls.ConnectionState{}
	if res := answer(m.HandlerFunc(storing), r); setCookies(res) == "" {
		t.Error("no cookie over TLS")
	}
}

// "Remember me": a session's own lifetime is kept with it, on the server and in the
// browser, through later visits, changes and renewals.
func TestRememberMe(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * time.Hour
	clk := newClock()
	m := newManager[account](t, session.Config{
		Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, AbsoluteTimeout: session.NoTimeout, IdleTimeout: time.Hour,
	})
	b := newBrowser()
	login(t, m, b, "ada")
	ends := func(res *http.Response) time.Duration {
		if len(res.Cookies()) != 1 {
			t.Fatalf("cookies: %v", res.Cookies())
		}
		return res.Cookies()[0].Expires.Sub(clk.now())
	}
	if got := ends(do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetMaxAge(month) })); got != month {
		t.Errorf("the cookie ends in %v", got)
	}
	for name, h := range map[string]handler{
		"a change": storing,
		"Renew":    func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) },
		"another cookie": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.SetCookie(session.Cookie{MaxAge: month, SameSite: session.SameSiteStrict})
		},
	} {
		clk.advance(month - time.Hour)
		res := do(m, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if s.Data().name() != "ada" || s.Cookie().MaxAge != month {
				t.Errorf("before %s: logged in as %q, max age %v", name, s.Data().name(), s.Cookie().MaxAge)
			}
			h(w, r, s)
		})
		if got := ends(res); got != month {
			t.Errorf("after %s the cookie ends in %v", name, got)
		}
	}
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if c := s.Cookie(); c.SameSite != session.SameSiteStrict || !c.Expires.IsZero() {
			t.Errorf("the session's cookie is %+v", c)
		}
	})
	// Until the browser closes: the Config's idle timeout counts again.
	res := do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetMaxAge(0) })
	if c := res.Cookies(); len(c) != 1 || !c[0].Expires.IsZero() {
		t.Errorf("cookies: %v", c)
	}
	clk.advance(time.Hour)
	if who := whoami(m, b); who != "" {
		t.Errorf("logged in as %q", who)
	}
}

// A cookie of the session's own that cannot be written fails the save.
func TestSetCookieOfWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []session.Cookie{{Domain: "a;b"}, {Path: "/;Domain=evil.test"}, {Path: "/\n"}} {
		for _, fresh := range []bool{true, false} {
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			b := newBrowser()
			if !fresh {
				login(t, m, b, "ada")
			}
			before := len(records(t, s))
			res := do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				storing(w, r, ses)
				ses.SetCookie(c)
				if err := ses.Save(r.Context()); err == nil {
					t.Errorf("Save with %+v succeeded", c)
				}
			})
			wantErrorAlone(t, res, http.StatusInternalServerError)
			if len(records(t, s)) != before || peek(m, b).Count != 0 {
				t.Errorf("%d records, before %d", len(records(t, s)), before)
			}
		}
	}
}

// ForwardedHTTPS costs a read nothing: every request behind a proxy asks it.
func TestForwardedHTTPSDoesNotAllocate(t *testing.T) {
	allocations := map[string]float64{}
	for name, isSecure := range map[string]func(*http.Request) bool{"without": nil, "with": session.ForwardedHTTPS} {
		m := newManager[account](t, session.Config{IsSecure: isSecure})
		b := newBrowser()
		login(t, m, b, "ada")
		h := m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() })
		w, r := httptest.NewRecorder(), b.request("GET", "/")
		r.TLS = nil
		r.Header.Set("X-Forwarded-Proto", "https")
		allocations[name] = testing.AllocsPerRun(100, func() { h(w, r) })
	}
	if allocations["with"] > allocations["without"] {
		t.Errorf("a read allocates %v times with ForwardedHTTPS, %v times without", allocations["with"], allocations["without"])
	}
}
