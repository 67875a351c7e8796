package howto_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/examples/internal/browser"
	"github.com/nestsession/session/sessiontest"
	"github.com/nestsession/session/store/memstore"
)

func TestRememberMe(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := howto.RememberConfig("a secret for tests, 32 bytes or so")
	cfg.Now = func() time.Time { return now }
	cfg.Store = memstore.New(memstore.Config{Now: cfg.Now})
	m := newManager(t, cfg)
	h := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		if err := s.Login(r.Context(), "user:1"); err != nil {
			t.Error(err)
		}
		howto.Remember(r, s)
	})
	who := func(b *browser.Browser) string {
		return b.Visit(m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *howto.Session) { fmt.Fprint(w, s.Owner()) }), "GET", "/")
	}
	asked, did := browser.New(), browser.New()
	w := httptest.NewRecorder()
	h(w, asked.Request("POST", "/login?remember=yes"))
	if c := sessiontest.Cookie(t, m, w.Result()); c == nil || c.MaxAge != 60*24*60*60 {
		t.Errorf("the cookie of who asked: %v", c)
	}
	asked.SetCookies(w.Result().Cookies()...)
	w = httptest.NewRecorder()
	h(w, did.Request("POST", "/login"))
	if c := sessiontest.Cookie(t, m, w.Result()); c == nil || c.MaxAge != 0 {
		t.Errorf("the cookie of who did not: %v", c)
	}
	did.SetCookies(w.Result().Cookies()...)
	for _, step := range []struct {
		after         time.Duration
		asked, notDid string
	}{{time.Hour, "user:1", "user:1"}, {3 * time.Hour, "user:1", ""}, {59 * 24 * time.Hour, "user:1", ""}, {61 * 24 * time.Hour, "", ""}} {
		now = now.Add(step.after)
		if a, d := who(asked), who(did); a != step.asked || d != step.notDid {
			t.Errorf("%v later: who asked is %q, who did not is %q", step.after, a, d)
		}
	}
}

// A user who logs in again without "remember me" is not remembered any more.
func TestRememberMeNoMore(t *testing.T) {
	t.Parallel()
	m := newManager(t, howto.RememberConfig("a secret for tests, 32 bytes or so"))
	h := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		if err := s.Login(r.Context(), "user:1"); err != nil {
			t.Error(err)
		}
		howto.Remember(r, s)
	})
	b := browser.New()
	b.Visit(h, "POST", "/login?remember=yes")
	w := httptest.NewRecorder()
	r := b.Request("POST", "/login")
	h(w, r)
	if c := sessiontest.Cookie(t, m, w.Result()); c == nil || c.MaxAge != 0 {
		t.Errorf("the cookie: %v", c)
	}
	s := sessiontest.After(t, m, r, w.Result())
	if left := time.Until(s.Expires()); left > 3*time.Hour {
		t.Errorf("it ends in %v", left)
	}
}

func TestRequestsOfOtherSites(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h, err := howto.Protected(a.Routes(), "https://partner.test")
	if err != nil {
		t.Fatal(err)
	}
	b := login(t, h, nil, "ada")
	for name, c := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"our own page":              {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://shop.test"}, 303},
		"another site's":            {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, 403},
		"a subdomain's":             {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://blog.shop.test"}, 403},
		"an old browser's, another": {map[string]string{"Origin": "https://evil.test"}, 403},
		"a site that is trusted":    {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://partner.test"}, 303},
		"no browser":                {nil, 303},
	} {
		r, w := b.Request("POST", "/cart?item=bread"), httptest.NewRecorder()
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if _, err := howto.Protected(a.Routes(), "no origin"); err == nil {
		t.Error("what is no origin is accepted")
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	tenants, err := howto.NewTenants("a secret for tests, 32 bytes or so", kept, "books.test", "tools.test")
	if err != nil {
		t.Fatal(err)
	}
	h := tenants.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		if r.Method == "POST" {
			if err := s.Login(r.Context(), r.Host+"/user:1"); err != nil {
				t.Error(err)
			}
			return
		}
		fmt.Fprint(w, s.Owner())
	})
	ask := func(method, host string, cookies ...*http.Cookie) *http.Response {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "https://"+host+"/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		return w.Result()
	}
	cookies := ask("POST", "books.test").Cookies()
	for host, want := range map[string]string{"books.test": "books.test/user:1", "tools.test": ""} {
		body := make([]byte, 64)
		n, _ := ask("GET", host, cookies...).Body.Read(body)
		if got := string(body[:n]); got != want {
			t.Errorf("at %s with the cookie of books.test: %q", host, got)
		}
	}
	listed := 0
	for range tenants["tools.test"].List(t.Context(), "books.test/user:1") {
		listed++
	}
	if listed != 1 {
		t.Errorf("the page says that owners are not scoped, and the other manager lists %d sessions", listed)
	}
	if res := ask("GET", "unknown.test"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a host that is nobody's: %d", res.StatusCode)
	}
}

func TestAMobileClient(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	server := httptest.NewTLSServer(a.Routes())
	defer server.Close()
	client, err := howto.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	client.Transport = server.Client().Transport
	client.Timeout = 5 * time.Minute // hashing a password takes long on a busy machine
	res, err := client.Post(server.URL+"/login?name=ada&password=correct+horse+battery", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res, err = client.Get(server.URL + "/me"); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %s", res.Status)
	}
	// A header is not read.
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(r.URL) {
		r.Header.Set("Authorization", "Bearer "+c.Value)
	}
	if res, err = server.Client().Do(r); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a header: %s", res.Status)
	}
}
