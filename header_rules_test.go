package session_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// A client that has neither logs in, and is given its token by the handler: no cookie is set.
func TestTokenForAClientThatHasNothing(t *testing.T) {
	t.Parallel()
	for _, use := range []session.HeaderUse{session.HeaderWins, session.CookieWins, session.HeaderOnly} {
		log := &journal{}
		m := newManager[account](t, session.Config{Header: session.Header{Use: use}, OnEvent: log.add})
		var text string
		res := answer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			entering(t, "ada")(w, r, s)
			var err error
			if text, err = s.Token(r.Context()); err != nil {
				t.Errorf("Token: %v", err)
			}
			fmt.Fprint(w, text)
		}), httptest.NewRequest("POST", "https://shop.test/login", nil))
		if lines := res.Header["Set-Cookie"]; len(lines) > 0 || body(t, res) != text {
			t.Errorf("use %d: the response has the cookie %q", use, lines)
		}
		a := newApp(t, "Authorization")
		if a.token = text; a.whoami(m) != "ada" {
			t.Errorf("use %d: the token is that of %q", use, a.whoami(m))
		}
		for _, e := range log.take() {
			if e.Kind == session.EventCookieNotSent {
				t.Errorf("use %d: %v %v, but the handler has the token", use, e.Kind, e.Reason)
			}
		}
	}
}

// After each change of the id Token returns the new one. One that the client has no way to
// learn is reported.
func TestTokenAfterTheIDHasChanged(t *testing.T) {
	t.Parallel()
	log := &journal{}
	m := newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins}, OnEvent: log.add})
	a := newApp(t, "Authorization")
	steps := []struct {
		name string
		do   func(*session.Session[account], *http.Request) error
	}{
		{"Login", func(s *session.Session[account], r *http.Request) error { return s.Login(r.Context(), "user:ada") }},
		{"Renew", func(s *session.Session[account], r *http.Request) error { return s.Renew(r.Context()) }},
		{"Regenerate", func(s *session.Session[account], r *http.Request) error { return s.Regenerate(r.Context()) }},
	}
	for _, takes := range []bool{true, false} {
		for _, step := range steps {
			log.take()
			before, current := a.token, ""
			a.do(m, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				was, err := s.Token(r.Context()) // also before the change, which ends what it returned
				if err != nil || before != "" && was != before {
					t.Errorf("%s: Token before: %v, the one that was sent: %v", step.name, err, was == before)
				}
				if err := step.do(s, r); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
				s.Update(func(a *account) { a.Count++ })
				if takes {
					if a.token, err = s.Token(r.Context()); err != nil || a.token == was {
						t.Errorf("%s: Token: %v, another one: %v", step.name, err, a.token != was)
					}
				}
				current = s.ID()
			})
			unsent := 0
			for _, e := range log.take() {
				if e.Kind == session.EventCookieNotSent && e.Reason == session.ReasonNoToken {
					unsent++
				}
			}
			if takes != (unsent == 0) {
				t.Errorf("%s, token taken: %v: %d events", step.name, takes, unsent)
			}
			if takes && !strings.HasPrefix(a.token, current+".") {
				t.Errorf("%s: the token is not that of the session's id", step.name)
			}
			if !takes {
				break // the client has lost its session
			}
		}
	}
}

func TestTokenFails(t *testing.T) {
	t.Parallel()
	try := func(m *session.Manager[account], r *http.Request, do func(*session.Session[account])) (err error) {
		answer(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			do(s)
			var text string
			if text, err = s.Token(r.Context()); (text != "") != (err == nil) {
				t.Errorf("Token: %q, %v", text, err)
			}
		}), r)
		return err
	}
	request := func() *http.Request { return httptest.NewRequest("GET", "https://shop.test/", nil) }
	nothing := func(*session.Session[account]) {}
	off := newManager[account](t, session.Config{})
	if err := try(off, request(), nothing); !errors.Is(err, session.ErrNoToken) {
		t.Errorf("without Config.Header: %v", err)
	}
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept, Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}})
	if err := try(m, httptest.NewRequest("GET", "http://shop.test/", nil), nothing); !errors.Is(err, session.ErrInsecure) {
		t.Errorf("over plain HTTP: %v", err)
	}
	ended := func(s *session.Session[account]) {
		if err := s.Destroy(t.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	}
	if err := try(m, request(), ended); !errors.Is(err, session.ErrRevoked) {
		t.Errorf("after Destroy: %v", err)
	}
	kept.before = failing()
	if err := try(m, request(), nothing); err == nil || errors.Is(err, session.ErrNoToken) {
		t.Errorf("the store is down: %v", err)
	}
	kept.before = nil

	// A request with an old id gets the token of the renewed session until the client has
	// used it, and not later: a thief of the old one does not get any further.
	a := newApp(t, "Authorization")
	a.do(m, entering(t, "ada"))
	old := a.token
	a.do(m, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
	})
	r := request()
	r.Header.Set("Authorization", "Bearer "+old)
	if err := try(m, r, nothing); err != nil {
		t.Errorf("with the old token, before the new one was used: %v", err)
	}
	if a.whoami(m) != "ada" {
		t.Error("the new token does not work")
	}
	if err := try(m, r, nothing); !errors.Is(err, session.ErrNoToken) {
		t.Errorf("with the old token, after the new one was used: %v", err)
	}
}

// A session that came by cookie never gets its id into a header: scripts could read it there.
// A handler that asks for the token gets it, and the cookie goes on.
func TestACookiesSessionStaysWithTheCookie(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}})
	b := newBrowser()
	b.visit(m.HandlerFunc(entering(t, "ada")), "/")
	var text string
	res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
		var err error
		if text, err = s.Token(r.Context()); err != nil {
			t.Errorf("Token: %v", err)
		}
	})
	if got := res.Header.Get("X-New-Token"); got != "" || len(res.Header["Set-Cookie"]) != 1 {
		t.Errorf("the response has the token %v and the cookies %q", got != "", res.Header["Set-Cookie"])
	}
	a := newApp(t, "Authorization")
	if a.token = text; a.whoami(m) != "ada" || whoami(m, b) != "ada" {
		t.Errorf("the token is that of %q, the cookie that of %q", a.whoami(m), whoami(m, b))
	}
	// Either ends it for both.
	a.do(m, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	})
	if got := whoami(m, b); got != "" {
		t.Errorf("after the logout by token the cookie is that of %q", got)
	}
}

// A header of another scheme is not the session's, and a token that is not one is refused.
func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	log := &journal{}
	m := newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}, OnEvent: log.add})
	b, a := newBrowser(), newApp(t, "Authorization")
	b.visit(m.HandlerFunc(entering(t, "ada")), "/")
	a.do(m, entering(t, "bob"))
	for _, c := range []struct {
		lines  []string
		who    string
		reason session.Reason
	}{
		{nil, "ada", ""},
		{[]string{"Basic YWRhOng="}, "ada", ""},
		{[]string{"Bearerx " + a.token}, "ada", ""},
		{[]string{"bearer " + a.token}, "bob", ""},
		{[]string{"BEARER   " + a.token}, "bob", ""},
		{[]string{"Basic YWRhOng=", "Bearer " + a.token}, "bob", ""},
		{[]string{"Bearer"}, "", ""},
		{[]string{"Bearer\t" + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer \t" + a.token}, "", session.ReasonMalformed},
		{[]string{"Basic YWRhOng=, Bearer " + a.token}, "ada", ""},
		{[]string{"Bearer\u00a0" + a.token}, "ada", ""},
		{[]string{"Bearer \"" + a.token + "\""}, "", session.ReasonMalformed},
		{[]string{"Bearer token=" + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer "}, "", ""},
		{[]string{"Bearer " + a.token, "Bearer " + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer " + a.token + ", Bearer " + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer " + a.token + " "}, "", session.ReasonMalformed},
		{[]string{"Bearer s:" + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer s%3A" + a.token}, "", session.ReasonMalformed},
		{[]string{"Bearer " + strings.Replace(a.token, ".", "%2E", 1)}, "", session.ReasonMalformed},
		{[]string{"Bearer " + a.token + "="}, "", session.ReasonMalformed},
		{[]string{"Bearer " + a.token[:len(a.token)-1]}, "", session.ReasonSignature},
		{[]string{"Bearer " + strings.SplitN(a.token, ".", 2)[0]}, "", session.ReasonMalformed},
		{[]string{"Bearer x" + a.token}, "", session.ReasonSignature},
		{[]string{"Bearer " + strings.Repeat("x", 5000)}, "", session.ReasonMalformed},
	} {
		log.take()
		r := b.request("GET", "/")
		if c.lines != nil {
			r.Header["Authorization"] = c.lines
		}
		who := ""
		answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			who = s.Data().name()
			s.Discard()
		}), r)
		var reason session.Reason
		for _, e := range log.take() {
			if e.Kind == session.EventRejected {
				reason = e.Reason
			}
		}
		if who != c.who || reason != c.reason {
			t.Errorf("%.60q: the session of %q, rejected for %q; want %q, %q", c.lines, who, reason, c.who, c.reason)
		}
	}
}

// Of the cookie's attributes Path does not apply to a header, and Secure does.
func TestWhereATokenIsAccepted(t *testing.T) {
	t.Parallel()
	visit := func(m *session.Manager[account], url, token string) (who string, err error) {
		r := httptest.NewRequest("GET", url, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		s, err := m.Open(r)
		if err != nil {
			return "", err
		}
		return s.Data().name(), nil
	}
	for _, c := range []struct {
		about  string
		cookie session.Cookie
		use    session.HeaderUse
		url    string
		who    string
	}{
		{"HTTPS", session.Cookie{}, session.HeaderWins, "https://shop.test/", "ada"},
		{"outside of Path", session.Cookie{Path: "/app"}, session.HeaderWins, "https://shop.test/api", "ada"},
		{"plain HTTP", session.Cookie{}, session.HeaderWins, "http://shop.test/", ""},
		{"plain HTTP, HeaderOnly", session.Cookie{}, session.HeaderOnly, "http://shop.test/", ""},
		{"plain HTTP, SecureAuto", session.Cookie{Secure: session.SecureAuto}, session.HeaderWins, "http://shop.test/", "ada"},
		{"plain HTTP, Insecure", session.Cookie{Secure: session.Insecure}, session.HeaderOnly, "http://shop.test/", "ada"},
	} {
		log := &journal{}
		m := newManager[account](t, session.Config{Header: session.Header{Use: c.use, Response: "X-New-Token"}, Cookie: c.cookie, OnEvent: log.add})
		a := newApp(t, "Authorization")
		a.do(m, entering(t, "ada"))
		log.take()
		who, err := visit(m, c.url, a.token)
		if who != c.who || err != nil {
			t.Errorf("%s: the session of %q, %v; want that of %q", c.about, who, err, c.who)
		}
		if events := log.take(); c.who == "" && (len(events) != 1 || events[0].Kind != session.EventRejected || events[0].Reason != session.ReasonInsecure) {
			t.Errorf("%s: the events are %v", c.about, events)
		}
	}
	m := newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins}, Cookie: session.Cookie{Path: "/app"}})
	if _, err := visit(m, "https://shop.test/api", ""); !errors.Is(err, session.ErrOutsidePath) {
		t.Errorf("outside of Path, with neither: %v", err)
	}
}

// New refuses a header that cannot work, and says what to write instead.
func TestNewRefusesAHeaderThatCannotWork(t *testing.T) {
	t.Parallel()
	only, wins := session.HeaderOnly, session.HeaderWins
	for want, cfg := range map[string]session.Config{
		"Config.Header: has no effect without Use":           {Header: session.Header{Response: "X-Token"}},
		"Config.Header.Use: 9 is not one of":                 {Header: session.Header{Use: 9}},
		"Config.Header.Name: \"Cookie\" is no header":        {Header: session.Header{Use: wins, Name: "cookie"}},
		"Config.Header.Name: \"X Token\" is no header":       {Header: session.Header{Use: wins, Name: "X Token"}},
		"Config.Header.Response: \"Set-Cookie\" is no":       {Header: session.Header{Use: wins, Response: "set-cookie"}},
		"Config.Header.Scheme: \"Bearer:\" is no scheme":     {Header: session.Header{Use: wins, Scheme: "Bearer:"}},
		"Config.Header: express-session reads no header":     {Header: session.Header{Use: wins}, Express: session.ExpressOptions{Rules: true}},
		"Config.Cookie: with HeaderOnly only MaxAge":         {Header: session.Header{Use: only}, Cookie: session.Cookie{Path: "/app"}},
		"Config.FormerCookies: are not read with HeaderOnly": {Header: session.Header{Use: only}, FormerCookies: []session.FormerCookie{{Name: "was"}}},
	} {
		cfg.Secrets = []string{secret}
		if _, err := session.New[account](cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

// An id that a header cannot carry fails the save, and does not become a session that its
// client cannot come back to.
func TestIDsThatAHeaderCannotCarry(t *testing.T) {
	t.Parallel()
	for id, ok := range map[string]bool{"an-id_of.a~kind+that/fits": true, "an id": false, "an:id": false, "für": false, "50%": false} {
		kept := memstore.New(memstore.Config{})
		m := newManager[account](t, session.Config{Store: kept, Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}, GenID: func(*http.Request) (string, error) { return id, nil }})
		a := newApp(t, "Authorization")
		a.do(m, entering(t, "ada"))
		if stored := kept.Stats().Sessions; (a.token != "") != ok || (a.last.StatusCode == http.StatusOK) != ok || (stored == 1) != ok {
			t.Errorf("%q: answered %d, a token: %v, %d sessions stored", id, a.last.StatusCode, a.token != "", stored)
		}
		if ok && a.whoami(m) != "ada" {
			t.Errorf("%q: the token does not work", id)
		}
		_ = kept.Close()
	}
}

// Neither events nor the log hold a token, whatever happens to it.
func TestNoTokenIsLogged(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	log := &journal{}
	m := newManager[account](t, session.Config{Header: session.Header{Use: session.HeaderWins, Response: "X-New-Token"}, OnEvent: log.add,
		Logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	a := newApp(t, "Authorization")
	var secrets []string
	for range 3 {
		a.do(m, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			entering(t, "ada")(w, r, s)
			token, err := s.Token(r.Context())
			if err != nil {
				t.Errorf("Token: %v", err)
			}
			secrets = append(secrets, s.ID(), token)
			slog.New(slog.NewTextHandler(&text, nil)).Info("a session is printed by mistake", "session", s)
		})
	}
	for _, bad := range []string{a.token + "x", "not-a-token-but-secret"} {
		secrets = append(secrets, bad)
		r := httptest.NewRequest("GET", "http://shop.test/", nil)
		r.Header.Set("Authorization", "Bearer "+bad)
		answer(m.HandlerFunc(func(http.ResponseWriter, *http.Request, *session.Session[account]) {}), r)
		r.URL.Scheme, r.TLS = "https", httptest.NewRequest("GET", "https://shop.test/", nil).TLS
		answer(m.HandlerFunc(func(http.ResponseWriter, *http.Request, *session.Session[account]) {}), r)
	}
	if text.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, e := range log.take() {
		fmt.Fprintf(&text, "%+v\n", e)
	}
	for _, s := range secrets {
		if strings.Contains(text.String(), s) {
			t.Errorf("the log or the events hold %q:\n%s", s, text.String())
		}
	}
}
