package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// headers are the two kinds of header, by name.
var headers = map[string]session.Header{
	"Authorization": {Response: "X-New-Token"},
	"X-Session":     {Name: "x-session", Response: "X-Session"},
}

// app is a client of the header, which keeps the token that it was given last.
type app struct {
	t      testing.TB
	name   string // of the header
	scheme string
	answer string // the response header
	token  string
	last   *http.Response
}

func newApp(t testing.TB, name string) *app {
	a := &app{t: t, name: name, answer: headers[name].Response}
	if name == "Authorization" {
		a.scheme = "Bearer "
	}
	return a
}

// do sends a request with the token, and wants an answer without a cookie.
func (a *app) do(m *session.Manager[account], h handler) *http.Response {
	a.t.Helper()
	r := httptest.NewRequest("GET", "https://shop.test/", nil)
	r.Header.Set(a.name, a.scheme+a.token)
	a.last = answer(m.HandlerFunc(h), r)
	if lines := a.last.Header["Set-Cookie"]; len(lines) > 0 {
		a.t.Errorf("a session that came by header got the cookie %q", lines)
	}
	if text := a.last.Header.Get(a.answer); text != "" {
		a.token = text
	}
	return a.last
}

func (a *app) whoami(m *session.Manager[account]) (name string) {
	a.t.Helper()
	a.do(m, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { name = s.Data().name() })
	return name
}

func entering(t testing.TB, name string) handler {
	return func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "user:"+name); err != nil {
			t.Errorf("Login: %v", err)
		}
		s.Update(func(a *account) { a.User = &user{Name: name} })
	}
}

// Each response that would give a browser a new cookie gives the client of a header its new
// token in the header that the Config names.
func TestATokenMovesAsTheCookieDoes(t *testing.T) {
	t.Parallel()
	for name, h := range headers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			h.Use = session.HeaderWins
			cfg := session.Config{Header: h, Cookie: session.Cookie{MaxAge: time.Hour}, Now: func() time.Time { return now }}
			cfg.Store = newHooked(t)
			m := newManager[account](t, cfg)
			a := newApp(t, name)
			step := func(what string, moves, changes bool, h handler) {
				t.Helper()
				before := a.token
				a.last = nil
				a.do(m, h)
				if got := a.last.Header.Get(a.answer) != ""; got != moves || (a.token != before) != changes {
					t.Errorf("%s: the response gives a token: %v, another one: %v; want %v, %v", what, got, a.token != before, moves, changes)
				}
				if got := a.whoami(m); got != "ada" && strings.Contains(what, "login") {
					t.Errorf("%s: the token is that of %q", what, got)
				}
			}
			nothing := func(http.ResponseWriter, *http.Request, *session.Session[account]) {}
			step("a visit that stores nothing", false, false, nothing)
			step("login", true, true, entering(t, "ada"))
			step("a visit", false, false, nothing)
			step("renewal after login", true, true, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err != nil {
					t.Errorf("Renew: %v", err)
				}
			})
			step("another login", true, true, entering(t, "ada"))
			now = now.Add(10 * time.Minute)
			step("a visit that moves the expiry after login", true, false, nothing)
			step("regeneration", true, true, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Regenerate(r.Context()); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
				s.Update(func(a *account) { a.Count = 1 })
			})
			step("logout", false, false, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Destroy(r.Context()); err != nil {
					t.Errorf("Destroy: %v", err)
				}
			})
			if got := a.whoami(m); got != "" {
				t.Errorf("after the logout the token is that of %q", got)
			}
			// Secrets are rotated.
			a.do(m, entering(t, "ada"))
			cfg.Secrets = []string{"another secret for tests, 32 bytes or so", secret}
			m = newManager[account](t, cfg)
			step("rotation after login", true, true, nothing)
			cfg.Secrets = cfg.Secrets[:1]
			if m = newManager[account](t, cfg); a.whoami(m) != "ada" {
				t.Error("the new token is not of the new secret")
			}
			cfg.Rolling = true
			m = newManager[account](t, cfg)
			step("rolling after login", true, false, nothing)
		})
	}
}

// What a request has decides, and not whether it is valid: for each combination it is said
// whose session it is, and by which way a new id would go.
func TestHeaderAndCookie(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	plain := newManager[account](t, session.Config{Store: kept})
	ada, bob := newBrowser(), newApp(t, "Authorization")
	ada.visit(plain.HandlerFunc(entering(t, "ada")), "/")
	bob.do(newManager[account](t, session.Config{Store: kept, Header: session.Header{Use: session.HeaderOnly, Response: "X-New-Token"}}), entering(t, "bob"))
	values := map[string]map[string]string{
		"cookie": {"valid": "__Host-sid=" + ada.cookie(), "invalid": "__Host-sid=s%3Anobody.signature", "absent": ""},
		"header": {"valid": "Bearer " + bob.token, "invalid": "Bearer nobody.signature", "absent": ""},
	}
	for _, c := range []struct {
		use            session.HeaderUse
		header, cookie string
		who, goes      string
		rejected       int
	}{
		{session.HeaderWins, "valid", "valid", "bob", "header", 0},
		{session.HeaderWins, "valid", "invalid", "bob", "header", 0},
		{session.HeaderWins, "valid", "absent", "bob", "header", 0},
		{session.HeaderWins, "invalid", "valid", "", "header", 1},
		{session.HeaderWins, "invalid", "invalid", "", "header", 1},
		{session.HeaderWins, "invalid", "absent", "", "header", 1},
		{session.HeaderWins, "absent", "valid", "ada", "cookie", 0},
		{session.HeaderWins, "absent", "invalid", "", "cookie", 1},
		{session.HeaderWins, "absent", "absent", "", "cookie", 0},

		{session.CookieWins, "valid", "valid", "ada", "cookie", 0},
		{session.CookieWins, "valid", "invalid", "", "cookie", 1},
		{session.CookieWins, "valid", "absent", "bob", "header", 0},
		{session.CookieWins, "invalid", "valid", "ada", "cookie", 0},
		{session.CookieWins, "invalid", "invalid", "", "cookie", 1},
		{session.CookieWins, "invalid", "absent", "", "header", 1},
		{session.CookieWins, "absent", "valid", "ada", "cookie", 0},
		{session.CookieWins, "absent", "invalid", "", "cookie", 1},
		{session.CookieWins, "absent", "absent", "", "cookie", 0},

		{session.HeaderOnly, "valid", "valid", "bob", "header", 0},
		{session.HeaderOnly, "valid", "invalid", "bob", "header", 0},
		{session.HeaderOnly, "valid", "absent", "bob", "header", 0},
		{session.HeaderOnly, "invalid", "valid", "", "header", 1},
		{session.HeaderOnly, "invalid", "invalid", "", "header", 1},
		{session.HeaderOnly, "invalid", "absent", "", "header", 1},
		{session.HeaderOnly, "absent", "valid", "", "header", 0},
		{session.HeaderOnly, "absent", "invalid", "", "header", 0},
		{session.HeaderOnly, "absent", "absent", "", "header", 0},

		{session.HeaderOff, "valid", "absent", "", "cookie", 0},
		{session.HeaderOff, "valid", "valid", "ada", "cookie", 0},
	} {
		what := fmt.Sprintf("use %d, header %s, cookie %s", c.use, c.header, c.cookie)
		cfg := session.Config{Store: kept}
		if c.use != session.HeaderOff {
			cfg.Header = session.Header{Use: c.use, Response: "X-New-Token"}
		}
		log := &journal{}
		cfg.OnEvent = log.add
		m := newManager[account](t, cfg)
		r := httptest.NewRequest("GET", "https://shop.test/", nil)
		for name, value := range map[string]string{"Cookie": values["cookie"][c.cookie], "Authorization": values["header"][c.header]} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		who := ""
		res := answer(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			who = s.Data().name()
			if who == "" {
				s.Update(func(a *account) { a.Count++ })
			} else if err := s.Renew(r.Context()); err != nil {
				t.Errorf("%s: Renew: %v", what, err)
			}
		}), r)
		if who != c.who {
			t.Errorf("%s: it is the session of %q, want %q", what, who, c.who)
		}
		goes := ""
		if len(res.Header["Set-Cookie"]) > 0 {
			goes += "cookie"
		}
		if res.Header.Get("X-New-Token") != "" {
			goes += "header"
		}
		if goes != c.goes {
			t.Errorf("%s: the new id goes by %q, want %q", what, goes, c.goes)
		}
		rejected := 0
		for _, e := range log.take() {
			if e.Kind == session.EventRejected {
				rejected++
			}
		}
		if rejected != c.rejected {
			t.Errorf("%s: %d events say that something was not accepted, want %d", what, rejected, c.rejected)
		}
		// Renew has changed the ids.
		if who == "ada" {
			ada.receive(res)
			values["cookie"]["valid"] = "__Host-sid=" + ada.cookie()
		}
		if text := res.Header.Get("X-New-Token"); who == "bob" {
			values["header"]["valid"] = "Bearer " + text
		}
	}
}
