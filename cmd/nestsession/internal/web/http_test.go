package web_test

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const page, problem = "text/html; charset=utf-8", "application/problem+json"
	for accept, want := range map[string]string{
		"":                                  problem,
		"*/*":                               problem,
		"text/html":                         page,
		"TEXT/HTML":                         page,
		"text/*":                            page,
		"application/json":                  problem,
		"application/json, text/html":       problem,
		"text/html, application/json":       problem,
		"text/html, application/json;q=0.9": page,
		"application/json;q=0.1, */*;q=0.5": page,
		"text/html;q=0.5, */*;q=0.8":        problem,
		"text/html;q=0, */*":                problem,
		"text/html;q=0.001, image/png":      page,
		"text/html;q=nonsense, */*;q=0.1":   problem,
		"image/png":                         problem,
		"nonsense":                          problem,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8": page,
		"application/json, text/plain, */*":                                                     problem, // axios
	} {
		b := s.program()
		b.headers.Set("Accept", accept)
		a := b.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
		if got := a.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept: %s is answered with %s, want %s", accept, got, want)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	s := setup(t)
	type body struct {
		name, kind, text string
		status           int
		says             string
	}
	for _, c := range []body{
		{"nothing", "", "", http.StatusUnprocessableEntity, "enter your username"},
		{"an empty form", "application/x-www-form-urlencoded", "", http.StatusUnprocessableEntity, "enter your password"},
		{"an empty object", "application/json", "{}", http.StatusUnprocessableEntity, "enter your password"},
		{"with a charset", "application/json; charset=utf-8", `{"username":"x"}`, http.StatusUnprocessableEntity, "enter your password"},
		{"null", "application/json", "null", http.StatusUnprocessableEntity, "enter your password"},
		{"a number", "application/json", `{"username":"x","password":12345678}`, http.StatusUnprocessableEntity, "string in quotes"},
		{"a list", "application/json", `["x"]`, http.StatusBadRequest, "not a JSON object"},
		{"cut off", "application/json", `{"username":"x","password":"y`, http.StatusBadRequest, "not a JSON object"},
		{"two objects", "application/json", `{"username":"x"}{}`, http.StatusBadRequest, "not a JSON object"},
		{"a broken form", "application/x-www-form-urlencoded", "username=%zz", http.StatusBadRequest, "not a form"},
		{"XML", "application/xml", "<username/>", http.StatusUnsupportedMediaType, "Content-Type: application/json"},
		{"no type", "", `{"username":"x"}`, http.StatusUnsupportedMediaType, "Content-Type: application/json"},
		{"a nonsense type", ";;", "x", http.StatusUnsupportedMediaType, "Content-Type: application/json"},
		{"a huge form", "application/x-www-form-urlencoded", "username=" + strings.Repeat("x", 64<<10), http.StatusRequestEntityTooLarge, "at most 65536 bytes"},
		{"a huge object", "application/json", `{"username":"` + strings.Repeat("x", 64<<10) + `"}`, http.StatusRequestEntityTooLarge, "at most 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range []*browser{s.program(), s.person()} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/login", strings.NewReader(c.text))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = b.headers.Clone()
				if c.kind != "" {
					r.Header.Set("Content-Type", c.kind)
				}
				b.roundTrip(r).want(t, c.status)
				if b.headers.Get("Accept") == "*/*" {
					b.roundTrip(clone(t, r, c.text)).want(t, c.status, c.says)
				}
			}
		})
	}
}

func clone(t *testing.T, r *http.Request, body string) *http.Request {
	t.Helper()
	again, err := http.NewRequestWithContext(t.Context(), r.Method, r.URL.String(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	again.Header = r.Header
	return again
}

// A password in a URL ends up in logs and histories.
func TestCredentialsInTheURLDoNotCount(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	b.send(http.MethodPost, "/login?username=kim&password=correct+horse+battery", url.Values{}).want(t, http.StatusUnprocessableEntity)
}

func TestRegistrationSaysWhatIsWrongBesideEachField(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	a := b.register("kim cheolsu", "short").want(t, http.StatusUnprocessableEntity)
	if !strings.Contains(a.field(t, "username"), "without spaces") || !strings.Contains(a.field(t, "password"), "at least 15") {
		t.Errorf("the fields are explained as %s", a.body)
	}
	for range 30 { // mistakes do not count as wrong passwords
		b.register("kim", "short").want(t, http.StatusUnprocessableEntity)
	}
	b.register("kim", "correct horse battery").want(t, http.StatusCreated)
}

func TestAPageKeepsTheNameAndNeverThePassword(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	const name = `"><script>alert(1) </script>` // a name has no spaces
	for _, path := range []string{"/register", "/login"} {
		a := b.send(http.MethodPost, path, credentials(name, "hunter2 hunter2"))
		if strings.Contains(a.body, "<script") || !strings.Contains(a.body, "&lt;script&gt;alert(1)") {
			t.Errorf("POST %s: the name is not kept as a text: %s", path, a.body)
		}
		if strings.Contains(a.body, "hunter2") {
			t.Errorf("POST %s: the page holds the password", path)
		}
	}
}

// A request that another site makes a browser send has no effect (cross-site request forgery).
func TestRequestsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, c := range map[string]struct {
		header, value string
		refused       bool
	}{
		"another site":              {"Sec-Fetch-Site", "cross-site", true},
		"another subdomain":         {"Sec-Fetch-Site", "same-site", true},
		"an old browser elsewhere":  {"Origin", "https://evil.example", true},
		"a sandboxed frame":         {"Origin", "null", true},
		"this site":                 {"Sec-Fetch-Site", "same-origin", false},
		"an old browser here":       {"Origin", s.url, false},
		"the address bar":           {"Sec-Fetch-Site", "none", false},
		"a program without headers": {"X-Nothing", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.program()
			b.register("user"+strings.ReplaceAll(name, " ", ""), "correct horse battery").want(t, http.StatusCreated)
			b.headers.Set(c.header, c.value)
			a := b.send(http.MethodPost, "/logout", nil)
			stays := b.send(http.MethodGet, "/me", nil).StatusCode == http.StatusOK
			if refused := a.StatusCode == http.StatusForbidden; refused != c.refused || stays != c.refused {
				t.Errorf("status %d, still logged in: %v; want refused: %v", a.StatusCode, stays, c.refused)
			}
			if c.refused {
				a.want(t, http.StatusForbidden, "Another site sent this request")
			}
		})
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.register("kim", "correct horse battery")
	style := regexp.MustCompile(`/assets/[0-9a-f]+/style\.css`).FindString(b.send(http.MethodGet, "/me", nil).body)
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// Our own script runs where it is needed.
	const withScript = policy + "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
	live := map[string]string{"/me": withScript, "/password": withScript, "/sessions": withScript}
	for _, path := range []string{"/", "/login", "/register", "/me", "/password", "/sessions", "/healthz", "/nowhere", style} {
		h := b.send(http.MethodGet, path, nil).Header
		for name, want := range map[string]string{
			"Content-Security-Policy": cmp.Or(live[path], policy),
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got, want)
			}
		}
		if path != style && (h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Accept, Accept-Language, Cookie") {
			t.Errorf("GET %s: Cache-Control %q, Vary %q", path, h.Get("Cache-Control"), h.Get("Vary"))
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.register("kim", "correct horse battery")
	urls := regexp.MustCompile(`/assets/[^"]+`).FindAllString(b.send(http.MethodGet, "/me", nil).body, -1)
	if len(urls) < 3 {
		t.Fatalf("the page names %q, want a style sheet, an icon and a script", urls)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
	for _, u := range urls {
		a := b.send(http.MethodGet, u, nil).want(t, http.StatusOK)
		if !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || a.Header.Get("Vary") != "" {
			t.Errorf("%s: Cache-Control %q, Vary %q", u, a.Header.Get("Cache-Control"), a.Header.Get("Vary"))
		}
		want := kinds[path.Ext(u)]
		if got := a.Header.Get("Content-Type"); got != want {
			t.Errorf("%s: Content-Type %q, want %q", u, got, want)
		}
	}
	b.send(http.MethodGet, "/assets/0000000000000000/style.css", nil).want(t, http.StatusNotFound)
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, b := range []*browser{s.program(), s.person()} {
		b.send(http.MethodGet, "/nowhere", nil).want(t, http.StatusNotFound, "There is nothing at this address.")
		a := b.send(http.MethodDelete, "/login", nil).want(t, http.StatusMethodNotAllowed, "not DELETE")
		if got := a.Header.Get("Allow"); got != "GET, HEAD, POST" {
			t.Errorf("Allow is %q", got)
		}
	}
	s.program().send(http.MethodGet, "/logout", nil).want(t, http.StatusMethodNotAllowed)
}

func TestA401HasAChallengeThatNoBrowserPopsUpFor(t *testing.T) {
	t.Parallel()
	s := setup(t)
	a := s.program().send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Cookie ") {
		t.Errorf("WWW-Authenticate is %q", got)
	}
}

func TestHealthzDeclaresNoSession(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	before := s.sessions.asked.Load()
	b.send(http.MethodGet, "/healthz", nil).want(t, http.StatusOK, `{"status":"ok","users":"ok","sessions":"ok"}`)
	if n := s.sessions.asked.Load() - before; n != 1 {
		t.Errorf("the store was asked %d times, want the ping alone", n)
	}
}
