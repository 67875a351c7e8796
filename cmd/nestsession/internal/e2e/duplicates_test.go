package e2e

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

type visitor struct {
	Name string `json:"name"`
}

// site is an application whose Config can be changed while it runs. Its pages say who is
// logged in; /login and /app/login log in.
type site struct {
	*testing.T
	store *memstore.Store
	now   atomic.Pointer[http.Handler]
	port  string
}

func newSite(t *testing.T, cfg session.Config) *site {
	s := &site{T: t, store: memstore.New(memstore.Config{})}
	t.Cleanup(func() { _ = s.store.Close() })
	s.deploy(cfg)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.now.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s.port = server.URL[strings.LastIndexByte(server.URL, ':'):]
	return s
}

func (s *site) deploy(cfg session.Config) {
	s.Helper()
	cfg.Secrets, cfg.Store, cfg.Scope, cfg.Logger = []string{"a secret for the tests alone"}, s.store, "sid", slog.New(slog.DiscardHandler)
	m, err := session.New[visitor](cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = m.Close() })
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/favicon.ico" {
			return
		}
		if line := r.URL.Query().Get("plant"); line != "" {
			w.Header().Set("Set-Cookie", line)
			_, _ = w.Write([]byte("<main>planted</main>"))
			return
		}
		m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[visitor]) {
			if strings.HasSuffix(r.URL.Path, "/login") {
				if err := s.Login(r.Context(), "kim"); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				s.Update(func(v *visitor) { v.Name = "kim" })
			}
			_, _ = w.Write([]byte("<main>[" + s.Data().Name + "]</main>"))
		})(w, r)
	})
	s.now.Store(&h)
}

func TestDuplicateCookiesInChromium(t *testing.T) {
	t.Parallel()
	browser := startChromium(t,
		chromedp.Flag("host-resolver-rules", "MAP *.example.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors", true))
	wide := session.Cookie{Domain: "example.test"}
	for name, c := range map[string]struct {
		name          string
		before, after session.Cookie
		former        []session.FormerCookie
		stays         bool // logged in, without a new login
	}{
		"Domain added":                           {"sid", session.Cookie{}, wide, nil, true},
		"Domain added, former":                   {"sid", session.Cookie{}, wide, []session.FormerCookie{{}}, true},
		"Domain added, default name":             {"", session.Cookie{}, wide, nil, false},
		"Domain added, default name, former":     {"", session.Cookie{}, wide, []session.FormerCookie{{}}, true},
		"Domain removed":                         {"sid", wide, session.Cookie{}, nil, true},
		"Domain removed, former":                 {"sid", wide, session.Cookie{}, []session.FormerCookie{{Domain: "example.test"}}, true},
		"Domain removed, default name, former":   {"", wide, session.Cookie{}, []session.FormerCookie{{Domain: "example.test"}}, true},
		"Path narrowed":                          {"sid", session.Cookie{}, session.Cookie{Path: "/app"}, nil, true},
		"Path narrowed, former":                  {"sid", session.Cookie{}, session.Cookie{Path: "/app"}, []session.FormerCookie{{}}, true},
		"Path narrowed, default name, former":    {"", session.Cookie{}, session.Cookie{Path: "/app"}, []session.FormerCookie{{}}, true},
		"Partitioned switched on":                {"sid", session.Cookie{}, session.Cookie{Partitioned: true}, nil, true},
		"Partitioned switched on, __Host-sid":    {"", session.Cookie{}, session.Cookie{Partitioned: true}, nil, true},
		"Partitioned switched on, former":        {"", session.Cookie{}, session.Cookie{Partitioned: true}, []session.FormerCookie{{}}, true},
		"Partitioned switched on, SameSite=None": {"", session.Cookie{}, session.Cookie{Partitioned: true, SameSite: session.SameSiteNone}, nil, true},
		"nothing changed":                        {"sid", session.Cookie{}, session.Cookie{}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, session.Config{Name: c.name, Cookie: c.before})
			b := openAt(t, browser, "https://www.example.test"+s.port)
			b.navigate("/app/login")
			b.wantVisitor("kim", "before the change")
			s.deploy(session.Config{Name: c.name, Cookie: c.after, FormerCookies: c.former})
			b.navigate("/app/page")
			if c.stays {
				b.wantVisitor("kim", "after the change")
			}
			b.loginStays()
		})
	}
	for name, alive := range map[string]bool{"a sibling plants rubbish": false, "a sibling plants its own session": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, session.Config{Name: "sid"})
			evil := openAt(t, browser, "https://evil.example.test"+s.port)
			evil.navigate("/login")
			value := "rubbish"
			if alive {
				value = evil.cookie("sid").Value
			}
			b := openAt(t, browser, "https://www.example.test"+s.port)
			b.navigate("/app/login")
			for _, path := range []string{"/", "/app", "/app/page"} {
				b.do(chromedp.Navigate("https://evil.example.test" + s.port + "/?plant=" + url.QueryEscape("sid="+value+"; Domain=example.test; Secure; Path="+path)))
			}
			b.navigate("/app/page")
			if alive {
				b.wantVisitor("", "with two that live")
			} else {
				b.wantVisitor("kim", "with a planted cookie")
			}
			b.loginStays()
		})
	}
}

// loginStays logs in, and checks that the login lasts.
func (b *tab) loginStays() {
	b.Helper()
	b.navigate("/app/login")
	b.wantVisitor("kim", "at the first try")
	for _, path := range []string{"/app", "/app/page", "/app/other/page?q=1"} {
		b.navigate(path)
		b.wantVisitor("kim", "at "+path)
	}
	b.do(chromedp.Reload())
	b.wantVisitor("kim", "after a reload")
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/app/other/page"}})
	if err != nil {
		b.Fatal(err)
	}
	names := map[string]int{}
	for _, c := range got.Cookies {
		if names[c.Name]++; names[c.Name] > 1 {
			b.Errorf("several cookies are left: %+v", redacted(*c))
		}
	}
}

func (b *tab) wantVisitor(name, when string) {
	b.Helper()
	if got := b.text(); got != "["+name+"]" {
		b.Fatalf("%s the page says %q, want %q", when, got, "["+name+"]")
	}
}
