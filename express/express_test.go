package express_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
)

// account is flat data, in the order in which a Node application has set them.
type account struct {
	User   string  `json:"user"`
	Visits int     `json:"visits"`
	Admin  bool    `json:"admin"`
	Note   *string `json:"note"`
}

const annsDocument = `{"cookie":{"originalMaxAge":60000,"expires":"2026-01-01T00:01:00.000Z","httpOnly":true,"path":"/"},"user":"ann","visits":3,"admin":false,"note":null}`

// Name, signature, key and header line are those that express-session sends for the
// same id, secret and record.
func TestSendsTheSameCookie(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	res := a.visit("", func(s *session.Session[account]) { s.Update(func(a *account) { a.User = "ann" }) })
	if got := res.Header["Set-Cookie"]; len(got) != 1 || got[0] != setCookie {
		t.Errorf("Set-Cookie is %q, want %q", got, setCookie)
	}
	a.record(t)
}

func TestAcceptsTheSameCookie(t *testing.T) {
	t.Parallel()
	for what, cookie := range map[string]string{
		"alone":                      sentCookie(),
		"among others":               "theme=dark; " + sentCookie() + "; language=ko",
		"before another of its name": sentCookie() + "; connect.sid=s%3Aplanted.x",
		"in quotes":                  `connect.sid="` + sentValue + `"`,
		"with escapes in lower case": strings.Replace(strings.Replace(sentCookie(), "%3A", "%3a", 1), "%2B", "%2b", 1),
		"with few escapes":           "connect.sid=s:Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK.cQwdSXdOrmfYXv8KSRWK2xaL0HjphQ+4EKFNo49uFS0",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := newApp[account](t, nil)
			a.put(t, annsDocument, time.Time{})
			a.visit(cookie, func(s *session.Session[account]) {
				if s.IsNew() || s.ID() != id || s.Data().User != "ann" || s.Data().Visits != 3 {
					t.Errorf("the session is %+v, new: %v; want ann's", s.Data(), s.IsNew())
				}
			})
		})
	}
}

func TestRefusesOthers(t *testing.T) {
	t.Parallel()
	for what, cookie := range map[string]string{
		"signed with another secret": "connect.sid=s%3AZk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK.eG0ol6as50i%2Fa1%2Ba1OPhShyTXhycT2I65ODgVHe%2ByD0",
		"unsigned":                   "connect.sid=s%3A" + id,
		"without the prefix":         "connect.sid=" + strings.TrimPrefix(sentValue, "s%3A"),
		"under another name":         "__Host-sid=" + sentValue,
		"behind another of its name": "connect.sid=s%3Aplanted.x; " + sentCookie(), // as express-session reads it
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := newApp[account](t, nil)
			a.put(t, annsDocument, time.Time{})
			a.visit(cookie, func(s *session.Session[account]) {
				if !s.IsNew() || s.Data() != (account{}) {
					t.Errorf("the session is %+v, new: %v; want a new one", s.Data(), s.IsNew())
				}
			})
		})
	}
}

// Short secrets are accepted, empty ones are not.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		secrets []string
		ok      bool
	}{
		{[]string{"cat"}, true}, {[]string{"new", "old"}, true}, {nil, false}, {[]string{""}, false},
	} {
		m, err := session.New[account](express.Config(test.secrets...))
		if (err == nil) != test.ok {
			t.Errorf("New with the secrets %q: %v", test.secrets, err)
		}
		if err == nil {
			_ = m.Close()
		}
	}
}

// All secrets verify, and the first signs.
func TestRotation(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, func(cfg *session.Config) { cfg.Secrets = []string{"the new one", secret} })
	a.put(t, annsDocument, time.Time{})
	res := a.visit(sentCookie(), func(s *session.Session[account]) {
		if s.IsNew() {
			t.Error("the old secret's cookie is not accepted")
		}
		s.Update(func(a *account) { a.Visits++ })
	})
	if got := res.Cookies(); len(got) != 1 || got[0].Value == sentValue {
		t.Errorf("the cookies are %v, want one that the new secret signed", got)
	}
}

// Without MaxAge neither the cookie nor the record expires, however old it is.
func TestNothingExpiresWithoutMaxAge(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	a.visit("", func(s *session.Session[account]) { s.Update(func(a *account) { a.User = "ann" }) })
	if rec := a.record(t); !rec.Expires.IsZero() {
		t.Errorf("the record expires at %v, want never", rec.Expires)
	}
	a.now = a.now.AddDate(10, 0, 0)
	a.visit(sentCookie(), func(s *session.Session[account]) {
		if s.Data().User != "ann" {
			t.Error("the session has expired after ten years")
		}
	})
}

// MaxAge is the lifetime of cookie and record, counted from each visit. A visit that
// changes nothing extends only the record, however little; a change sends the cookie again.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, func(cfg *session.Config) { cfg.Cookie.MaxAge = time.Hour })
	steps := []struct {
		after  time.Duration
		visits int // bytes that the handler adds
		sent   string
	}{
		{0, 1, "Thu, 01 Jan 2026 01:00:00 GMT"},
		{time.Second, 0, ""},
		{30 * time.Minute, 0, ""},
		{59 * time.Minute, 1, "Thu, 01 Jan 2026 02:29:01 GMT"},
		{59 * time.Minute, 0, ""},
	}
	cookie, visits := "", 0
	for i, step := range steps {
		a.now = a.now.Add(step.after)
		res := a.visit(cookie, func(s *session.Session[account]) {
			if got := s.Data().Visits; got != visits {
				t.Errorf("step %d: %d visits, want %d", i, got, visits)
			}
			if step.visits > 0 {
				s.Update(func(a *account) { a.Visits += step.visits })
			}
		})
		cookie = sentCookie()
		visits += step.visits
		want := ""
		if step.sent != "" {
			want = "connect.sid=" + sentValue + "; Path=/; Expires=" + step.sent + "; HttpOnly"
		}
		if got := res.Header.Get("Set-Cookie"); got != want {
			t.Errorf("step %d: Set-Cookie is %q, want %q", i, got, want)
		}
		if got := a.record(t).Expires; !got.Equal(a.now.Add(time.Hour)) {
			t.Errorf("step %d: the record expires at %v, want an hour after the visit", i, got)
		}
	}
	a.now = a.now.Add(time.Hour)
	a.visit(cookie, func(s *session.Session[account]) {
		if !s.IsNew() {
			t.Error("the session outlived its MaxAge")
		}
	})
}

// If a session has ended, the browser keeps its cookie, as with express-session.
func TestCookieOfAnEndedSessionIsKept(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	a.put(t, annsDocument, time.Time{})
	res := a.visit(sentCookie(), func(s *session.Session[account]) {
		if err := s.Destroy(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if got := res.Header["Set-Cookie"]; got != nil {
		t.Errorf("Set-Cookie is %q, want none", got)
	}
	if _, err := a.kept.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record: %v, want none", err)
	}
}

// The attributes in the stored document make a session's cookie, not the current Cookie.
func TestStoredAttributesWin(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, func(cfg *session.Config) { cfg.Cookie.SameSite = session.SameSiteStrict })
	a.put(t, `{"cookie":{"originalMaxAge":60000,"expires":"2026-01-01T00:01:00.000Z","httpOnly":false,"domain":"example.com","path":"/","sameSite":"lax"},"user":"ann"}`, birth.Add(time.Minute))
	res := a.visit(sentCookie(), func(s *session.Session[account]) { s.Update(func(a *account) { a.Visits++ }) })
	want := "connect.sid=" + sentValue + "; Domain=example.com; Path=/; Expires=Thu, 01 Jan 2026 00:01:00 GMT; SameSite=Lax"
	if got := res.Header.Get("Set-Cookie"); got != want {
		t.Errorf("Set-Cookie is %q, want %q", got, want)
	}
}

// Regenerate stores a record and sends a cookie even if nothing is put in.
func TestRegenerateStoresAnEmptySession(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	res := a.visit("", func(s *session.Session[account]) {
		if err := s.Regenerate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if got := res.Header.Get("Set-Cookie"); got != setCookie {
		t.Errorf("Set-Cookie is %q, want %q", got, setCookie)
	}
	a.record(t)
}

// A visitor who puts nothing in is not stored: saveUninitialized is off.
func TestVisitorIsNotStored(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	if got := a.visit("", nothing).Header["Set-Cookie"]; got != nil {
		t.Errorf("Set-Cookie is %q, want none", got)
	}
	if _, err := a.kept.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record: %v, want none", err)
	}
}

// The answer to every failure is Express's.
func TestErrorResponse(t *testing.T) {
	t.Parallel()
	a := newApp[account](t, nil)
	if err := a.kept.Close(); err != nil {
		t.Fatal(err)
	}
	res := a.visit(sentCookie(), func(*session.Session[account]) { t.Error("the handler ran without its session") })
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusInternalServerError || string(text) != "Internal Server Error\n" {
		t.Errorf("the answer is %d %q %v", res.StatusCode, text, err)
	}
}
