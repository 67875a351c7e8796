package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// asks returns a proxy's question about a request of the browser. A header with + is one line more.
func (b *browser) asks(method, about string, more ...string) answer {
	b.Helper()
	proxy := *b
	proxy.headers = b.headers.Clone()
	u, err := url.Parse(about)
	if err != nil {
		b.Fatal(err)
	}
	for name, value := range map[string]string{"X-Forwarded-Method": method, "X-Forwarded-Proto": u.Scheme, "X-Forwarded-Host": u.Host, "X-Forwarded-Uri": u.RequestURI()} {
		proxy.headers.Set(name, value)
	}
	for i := 0; i < len(more); i += 2 {
		if name, second := strings.CutPrefix(more[i], "+"); second {
			proxy.headers.Add(name, more[i+1])
			continue
		}
		proxy.headers.Set(more[i], more[i+1])
	}
	return proxy.send("GET", "/auth?redirect", nil)
}

func TestAProxyLearnsWhoAsks(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		a := b.send(method, "/auth", nil)
		if a.StatusCode != 401 || a.Header.Get("Remote-User") != "" || a.Header.Get("Location") != "" {
			t.Errorf("%s of a visitor: %s, %v", method, a.Status, a.Header)
		}
	}
	b.send("POST", "/register", url.Values{"username": {"김철수"}, "password": {"correct horse battery staple"}})
	me := b.send("GET", "/me", nil)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		a := b.send(method, "/auth", nil)
		h := a.Header
		name, err := url.PathUnescape(h.Get("Remote-User"))
		if a.StatusCode != 200 || err != nil || name != "김철수" || !strings.Contains(me.body, `"id":`+h.Get("Remote-User-Id")+`,`) {
			t.Errorf("%s: %s, the user %q (%s)", method, a.Status, h.Get("Remote-User"), h.Get("Remote-User-Id"))
		}
		at, err := time.Parse(time.RFC3339, h.Get("Remote-Session-Expires"))
		if left := time.Until(at); err != nil || left < 6*24*time.Hour || left > 8*24*time.Hour || len(h.Get("Remote-Session")) < 8 || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: until %q, the session %q, %q", method, h.Get("Remote-Session-Expires"), h.Get("Remote-Session"), h.Get("Cache-Control"))
		}
	}
	copied := *b // a thief's copy of the jar
	b.send("POST", "/logout", nil)
	if a := copied.send("GET", "/auth", nil); a.StatusCode != 401 {
		t.Errorf("after the logout: %s", a.Status)
	}
}

func TestAVisitToTheApplicationIsUseOfTheSession(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.send("POST", "/register", url.Values{"username": {"ada"}, "password": {"correct horse battery staple"}})
	for range 4 {
		s.later.Add(int64(5 * 24 * time.Hour)) // of the week after which an unused session ends
		if a := b.send("GET", "/auth", nil); a.StatusCode != 200 {
			t.Fatalf("a session in use ends: %s", a.Status)
		}
	}
}

func TestAProxyIsToldWhereToLogIn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	page := "https://app.example.com/orders?year=2026&q=a%20b"
	for name, c := range map[string]struct {
		method, about string
		headers       []string
		status        int
		back          string // in the redirect
	}{
		"a page":                    {"GET", page, nil, 302, page},
		"of a host not allowed":     {"GET", "https://evil.example/x", nil, 302, ""},
		"a script's fetch":          {"GET", page, []string{"Sec-Fetch-Mode", "cors"}, 401, ""},
		"an image":                  {"GET", page, []string{"Sec-Fetch-Mode", "no-cors"}, 401, ""},
		"an older browser's XHR":    {"GET", page, []string{"X-Requested-With", "XMLHttpRequest"}, 401, ""},
		"a program":                 {"GET", page, []string{"Accept", "*/*"}, 401, ""},
		"a navigation":              {"GET", page, []string{"Sec-Fetch-Mode", "navigate"}, 302, page},
		"a form that would be lost": {"POST", page, []string{"Sec-Fetch-Mode", "navigate"}, 401, ""},
		"a preflight":               {"OPTIONS", page, []string{"Sec-Fetch-Mode", "cors"}, 401, ""},
		"a HEAD":                    {"HEAD", page, nil, 302, page},
		"a frame's navigation":      {"GET", page, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 302, page},
		"two proxies":               {"GET", page, []string{"X-Forwarded-Proto", "https, http"}, 302, page},
		"two hosts":                 {"GET", page, []string{"+X-Forwarded-Host", "evil.example"}, 302, ""},
		"a list of hosts":           {"GET", page, []string{"X-Forwarded-Host", "evil.example, app.example.com"}, 302, ""},
		"two targets":               {"GET", page, []string{"+X-Forwarded-Uri", "/evil"}, 302, ""},
		"two URLs":                  {"GET", page, []string{"X-Original-URL", "https://app.example.com/", "+X-Original-URL", "https://app.example.com/x"}, 302, page},
		"a port in the target":      {"GET", page, []string{"X-Forwarded-Uri", ":8443/"}, 302, ""},
		"a user in the target":      {"GET", page, []string{"X-Forwarded-Uri", "@evil.example/"}, 302, ""},
		"a name in the target":      {"GET", page, []string{"X-Forwarded-Host", "x", "X-Forwarded-Uri", ".example.com/"}, 302, ""},
		"slashes in the target":     {"GET", page, []string{"X-Forwarded-Uri", "//evil.example/"}, 302, "https://app.example.com//evil.example/"},
		"an address as target":      {"GET", page, []string{"X-Forwarded-Uri", "https://evil.example/"}, 302, ""},
		"nginx's way to ask":        {"PUT", "https://evil.example/", []string{"X-Original-Method", "GET", "X-Original-URL", page}, 302, page},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.person().asks(c.method, c.about, c.headers...)
			if a.StatusCode != c.status {
				t.Fatalf("%s: %s", a.Status, a.body)
			}
			to, err := url.Parse(a.Header.Get("Location"))
			if err != nil || to.Query().Get("back") != c.back || c.status == 302 && to.Path != "/login" {
				t.Errorf("leads to %q", a.Header.Get("Location"))
			}
			if c.method == "POST" && (!strings.Contains(a.body, "was not passed on") || !strings.Contains(a.body, `target="_blank"`)) {
				t.Errorf("a page that does not say what has become of the form:\n%s", a.body)
			}
		})
	}
}

func TestAClientThatIsNoProxyIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r := httptest.NewRequest("GET", "/auth?redirect", nil) // from 192.0.2.1
	r.Header = http.Header{"Accept": {"text/html"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Uri": {"/"}, "X-Original-URL": {"https://app.example.com/"}}
	w := httptest.NewRecorder()
	s.app.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); w.Code != 302 || to != "/login" {
		t.Errorf("%d to %q: a client chose the way back", w.Code, to)
	}
}

func TestALoginLeadsBackToAllowedPagesOnly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.person().send("POST", "/register", url.Values{"username": {"ada"}, "password": {"correct horse battery staple"}})
	for back, to := range map[string]string{
		"https://app.example.com/orders?x=1#y": "https://app.example.com/orders?x=1#y",
		"https://example.com":                  "https://example.com",
		"http://127.0.0.1:3000/":               "http://127.0.0.1:3000/",
		"/sessions":                            "/sessions",
		"HTTPS://APP.Example.COM/x":            "https://APP.Example.COM/x",
		"https://app.example.com:443/":         "https://app.example.com:443/",
		"https://xn--bcher-kva.example.com/":   "https://xn--bcher-kva.example.com/",
		"":                                     "",

		"https://app.example.com.evil.example/":                "",
		"https://evilexample.com/":                             "",
		"https://bücher.example.com/":                          "",
		"https://app.example.com%2eevil.example/":              "",
		"https://app.example.com%00.example.com/":              "",
		"https://app.example.com;.example.com/":                "",
		"https://.example.com/":                                "",
		"https://[::1]/":                                       "",
		"https://[app.example.com]/":                           "",
		"https://2130706433/":                                  "",
		"https:evil.example":                                   "",
		"https:/evil.example/":                                 "",
		"https:\\\\evil.example/":                              "",
		"//app.example.com/":                                   "",
		"///evil.example/":                                     "",
		"evil.example/":                                        "",
		"?x":                                                   "",
		"ftp://app.example.com/":                               "",
		"https://evil.example/?x=.example.com":                 "",
		"https://a.b@evil.example/":                            "",
		"https://app.example.com@evil.example/":                "",
		"https://app.example.com:8443/":                        "",
		"http://app.example.com/":                              "",
		"http://127.0.0.1:3001/":                               "",
		"//evil.example/":                                      "",
		"/\\evil.example/":                                     "",
		"\\\\evil.example/":                                    "",
		"https:evil.example/":                                  "",
		"https:///evil.example/":                               "",
		"javascript:alert(1)":                                  "",
		"data:text/html,x":                                     "",
		" https://app.example.com/":                            "",
		"/\t/evil.example/":                                    "",
		"https://app.example.com/" + strings.Repeat("x", 3000): "",
	} {
		a := s.person().send("POST", "/login", url.Values{"username": {"ada"}, "password": {"correct horse battery staple"}, "back": {back}})
		want := to
		if want == "" {
			want = "/me"
		}
		if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%q: %s to %q, not to %q", back, a.Status, got, want)
		}
		page := s.person().send("GET", "/login?back="+url.QueryEscape(back), nil)
		if named := strings.Contains(page.body, `name="back"`); named != (to != "") {
			t.Errorf("%q: the page of the login names it: %v", back, named)
		}
		if strings.HasPrefix(to, "http") {
			u, _ := url.Parse(to)
			if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+u.Scheme+"://"+u.Host+";") {
				t.Errorf("%q: the browser would stop the redirect: %s", back, csp)
			}
		}
	}
}

func TestTheWayBackOutlivesAWrongPassword(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.send("POST", "/register", url.Values{"username": {"ada"}, "password": {"correct horse battery staple"}})
	b.send("POST", "/logout", nil)
	back := "https://app.example.com/orders?a=1&b=2"
	a := b.send("POST", "/login", url.Values{"username": {"ada"}, "password": {"wrong"}, "back": {back}})
	if a.StatusCode != 401 || !strings.Contains(a.body, `value="https://app.example.com/orders?a=1&amp;b=2"`) || !strings.Contains(a.body, "/register?back=") {
		t.Errorf("%s\n%s", a.Status, a.body)
	}
	if a := b.send("GET", "/register?back="+url.QueryEscape(back), nil); !strings.Contains(a.body, "/login?back=") {
		t.Error("the way back ends at the registration")
	}
}
