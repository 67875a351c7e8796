package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
)

const cookieName = "__Host-sid"

// signed is a cookie's value for an id, as the secret signs it.
func signed(t testing.TB, secret, id string) string {
	t.Helper()
	s, err := cookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return string(s.AppendValue(nil, id))
}

// "An id that the library did not issue is never adopted. Bad, foreign, oversized or
// duplicated cookies mean a new session, are reported as an event, and never an error
// page."
func TestPromise08_AnIDThatWasNotIssuedIsNeverAdopted(t *testing.T) {
	t.Parallel()
	const id = "an-id-that-somebody-chose"
	good := signed(t, secret, id)
	unescape := strings.NewReplacer("%3A", ":", "%2F", "/", "%2B", "+")
	// What stands in the header, and the reason for which it is not accepted.
	for name, c := range map[string]struct{ header, want string }{
		"well signed, unknown":         {cookieName + "=" + good, "rejected: unknown id"},
		"unescaped":                    {cookieName + "=" + unescape.Replace(good), "rejected: unknown id"},
		"another secret":               {cookieName + "=" + signed(t, "another secret of enough bytes", id), "rejected: bad signature"},
		"another id's signature":       {cookieName + "=" + strings.Replace(good, id, "an-id-that-somebody-chese", 1), "rejected: bad signature"},
		"not signed":                   {cookieName + "=" + id, "rejected: malformed"},
		"empty":                        {cookieName + "=", "rejected: malformed"},
		"prefix alone":                 {cookieName + "=s%3A", "rejected: malformed"},
		"no id":                        {cookieName + "=s%3A.abc", "rejected: malformed"},
		"no signature":                 {cookieName + "=s%3A" + id + ".", "rejected: bad signature"},
		"signature cut":                {cookieName + "=" + good[:len(good)-1], "rejected: bad signature"},
		"signature extended":           {cookieName + "=" + good + "A", "rejected: bad signature"},
		"signature padded":             {cookieName + "=" + good + "%3D", "rejected: bad signature"},
		"quoted":                       {cookieName + `="` + good + `"`, "rejected: unknown id"},
		"a JSON cookie":                {cookieName + "=j%3A%7B%7D", "rejected: malformed"},
		"bytes beyond ASCII":           {cookieName + "=s%3A\xff\xfe.\xff", "rejected: "},
		"a broken escape":              {cookieName + "=s%3A%zz.%", "rejected: "},
		"a JWT":                        {cookieName + "=eyJhbGciOiJub25lIn0.e30.", "rejected: malformed"},
		"oversized":                    {cookieName + "=s%3A" + strings.Repeat("x", 100_000) + ".abc", "rejected: "},
		"oversized and well signed":    {cookieName + "=" + signed(t, secret, strings.Repeat("x", 100_000)), "rejected: "},
		"duplicated":                   {cookieName + "=" + good + "; " + cookieName + "=" + good, "rejected: duplicate cookie"},
		"duplicated, one of them bad":  {cookieName + "=bad; " + cookieName + "=" + good, "rejected: duplicate cookie"},
		"another name":                 {"sid=" + good, ""},
		"the name in other case":       {"__host-sid=" + good, ""},
		"the name within another name": {"x" + cookieName + "=" + good, ""},
		"rubbish":                      {"\x00;;;===;=", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
			r := newBrowser().request("GET", "/")
			r.Header.Set("Cookie", c.header)
			w := httptest.NewRecorder()
			m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				if !ses.IsNew() || ses.Data().User != nil {
					t.Error("the cookie led to a session")
				}
				got := log.kinds()
				if c.want == "" && got != "" || c.want != "" && !strings.HasPrefix(got, c.want) {
					t.Errorf("events: %q, want %q", got, c.want)
				}
				ses.Update(func(a *account) { a.User = &user{Name: "ada"} })
				_, _ = w.Write([]byte("the page"))
			})(w, r)
			res := w.Result()
			if got := body(t, res); res.StatusCode != http.StatusOK || got != "the page" {
				t.Errorf("answered %d %q, want the page", res.StatusCode, got)
			}
			b := newBrowser()
			b.receive(res)
			if who := whoami(m, b); who != "ada" {
				t.Errorf("with the new cookie logged in as %q", who)
			}
			if strings.Contains(b.cookie(), id) || strings.Contains(b.cookie(), "xxxx") {
				t.Error("the id in the cookie was adopted")
			}
			thief := httptest.NewRequest("GET", "https://shop.test/", nil)
			thief.Header.Set("Cookie", c.header)
			m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				if ses.Data().User != nil {
					t.Error("the foreign cookie leads to the new session")
				}
			})(httptest.NewRecorder(), thief)
		})
	}
}

// An attacker who plants a cookie before the login gets nothing of the session after
// it, whether the application regenerates or not: the id is never taken over.
func TestPromise08_APlantedCookieIsWorthNothing(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	thief := newBrowser()
	do(m, thief, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count = 1 }) // a session of its own, with an id that we issued
	})
	victim := thief.fork()
	login(t, m, victim, "ada")
	if who := whoami(m, thief); who != "" {
		t.Errorf("the thief is logged in as %q", who)
	}
	if who := whoami(m, victim); who != "ada" {
		t.Errorf("the victim is logged in as %q", who)
	}
}

// An expired or ended session's id is not taken up again.
func TestPromise08_ADeadIDIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := newManager[account](t, session.Config{Now: c.now})
	b := newBrowser()
	login(t, m, b, "ada")
	old := b.fork()
	endings["Destroy"](t, m, b)
	c.advance(session.DefaultRenewGrace) // before, see promise 13
	again := old.fork()
	do(m, again, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = &user{Name: "bob"} })
	})
	if again.cookie() == old.cookie() {
		t.Error("the new session has the dead one's cookie")
	}
	if who := whoami(m, old); who != "" {
		t.Errorf("the dead cookie is logged in as %q", who)
	}
	if who := whoami(m, again); who != "bob" {
		t.Errorf("the new cookie is logged in as %q", who)
	}
}

// InsecureFirstCookie, as express-session has it: the first of several counts.
func TestPromise08_TheFirstOfSeveralCookiesWhereItIsSaid(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Express: session.ExpressOptions{InsecureFirstCookie: true}})
	b := newBrowser()
	login(t, m, b, "ada")
	for header, want := range map[string]string{
		cookieName + "=" + b.cookie() + "; " + cookieName + "=bad": "ada",
		cookieName + "=bad; " + cookieName + "=" + b.cookie():      "",
	} {
		r := newBrowser().request("GET", "/")
		r.Header.Set("Cookie", header)
		m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			if got := s.Data().name(); got != want {
				t.Errorf("logged in as %q, want %q", got, want)
			}
		})(httptest.NewRecorder(), r)
	}
}

// A cookie in a header line of its own, as HTTP/2 sends them, is found.
func TestPromise08_SeveralCookieHeaders(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	r := newBrowser().request("GET", "/")
	r.Header["Cookie"] = []string{"theme=dark", cookieName + "=" + b.cookie(), "lang=ko"}
	m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if got := s.Data().name(); got != "ada" {
			t.Errorf("logged in as %q", got)
		}
	})(httptest.NewRecorder(), r)
}

// A record that the type cannot hold, as after a deploy, is a new session and an
// event, and not an error page forever.
func TestPromise08_AnUndecodableRecordIsANewSession(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"other types":  `{"cookie":{},"user":"ada","count":"many"}`,
		"not JSON":     `{"cookie":`,
		"not a record": `[1,2]`,
		"no cookie":    `{"count":1}`,
		"a bad cookie": `{"cookie":7,"count":1}`,
		"empty":        ``,
		"null":         `null`,
		"bookkeeping":  `{"cookie":{},"__nestsession":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
			b := newBrowser()
			login(t, m, b, "ada")
			for _, rec := range records(t, s) {
				rec.Data = []byte(text)
				if _, err := s.inner.Update(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
			}
			old := b.fork()
			log.take()
			res := do(m, b, func(w http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				if got := log.kinds(); got != "rejected: undecodable record" {
					t.Errorf("events: %q", got)
				}
				ses.Update(func(a *account) { a.User = &user{Name: "bob"} })
			})
			if who := whoami(m, b); res.StatusCode != 200 || who != "bob" || b.cookie() == old.cookie() {
				t.Errorf("answered %d, logged in as %q, same cookie %v", res.StatusCode, who, b.cookie() == old.cookie())
			}
			// Logging out with it, or in, removes it nevertheless.
			if name == "not JSON" {
				login(t, m, old, "carl")
			} else {
				endings["Destroy"](t, m, old)
				if old.cookie() != "" {
					t.Errorf("after the logout the cookie is %q", old.cookie())
				}
			}
			for _, rec := range records(t, s) {
				if string(rec.Data) == text {
					t.Errorf("the record is still there")
				}
			}
		})
	}
}
