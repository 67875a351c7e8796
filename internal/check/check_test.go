package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/jar"
)

const day = 24 * time.Hour

// wants compares an error's lines, each the field and a part of the text.
func wants(t *testing.T, about string, err error, want ...string) {
	t.Helper()
	var lines []string
	if err != nil {
		lines = strings.Split(err.Error(), "\n")
	}
	if len(lines) != len(want) {
		t.Errorf("%s: %d errors, want %d:\n%v", about, len(lines), len(want), err)
		return
	}
	for i, line := range lines {
		field, text, _ := strings.Cut(want[i], ": ")
		if !strings.HasPrefix(line, "session: Config."+field+": ") || !strings.Contains(line, text) {
			t.Errorf("%s: %q, want %q", about, line, want[i])
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	wants(t, "none", check.Secrets(nil, false), "Secrets: none given")
	wants(t, "an empty one", check.Secrets([]string{"a secret of 16 bytes", ""}, true), "Secrets[1]: empty")
	wants(t, "a short one", check.Secrets([]string{"keyboard cat"}, false), "Secrets[0]: 12 bytes")
	wants(t, "a short one that is allowed", check.Secrets([]string{"keyboard cat"}, true))
	wants(t, "16 bytes", check.Secrets([]string{"0123456789abcdef"}, false))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		about string
		times check.Times
		want  []string
	}{
		{"nothing", check.Times{}, nil},
		{"all that is usual", check.Times{Idle: time.Hour, Absolute: day, Touch: time.Minute, Load: 1, Save: 1, Recheck: 1, MaxAge: time.Hour, CookieIsSent: true}, nil},
		{"no timeouts", check.Times{Idle: -1, Absolute: -1, Touch: 48 * time.Hour}, nil},
		{"negative ones", check.Times{Idle: -5, Absolute: -5, Load: -1, Save: -1, Recheck: -1},
			[]string{"IdleTimeout: in the past", "AbsoluteTimeout: in the past", "StoreLimits.LoadTimeout: or 0 for 5s", "StoreLimits.RecheckInterval: or 0 for 1m0s", "StoreLimits.SaveTimeout: or 0 for 6s"}},
		{"bare numbers", check.Times{Idle: 3600, Absolute: 7200, Touch: -1}, []string{"IdleTimeout: bare number", "AbsoluteTimeout: bare number"}},
		{"idle for longer than the absolute timeout", check.Times{Idle: 2 * day, Absolute: day}, []string{"IdleTimeout: 48h0m0s is longer"}},
		{"a cookie for longer than that", check.Times{Idle: time.Hour, Absolute: day, MaxAge: 2 * day}, []string{"Cookie.MaxAge: 48h0m0s is longer"}},
		{"touched less often than the timeout", check.Times{Idle: time.Hour, Touch: time.Hour}, []string{"StoreLimits.TouchInterval: idle timeout 1h0m0s"}},
		{"touched less often than the default timeout", check.Times{Touch: day}, []string{"StoreLimits.TouchInterval: idle timeout 24h0m0s"}},
		{"touched less often than the cookie lives", check.Times{Idle: day, MaxAge: time.Hour, Touch: time.Hour, CookieIsSent: true}, []string{"StoreLimits.TouchInterval: Cookie.MaxAge 1h0m0s"}},
		{"the same, where touches send no cookie", check.Times{Idle: day, MaxAge: time.Hour, Touch: time.Hour}, nil},
		{"touched seldom, with a date", check.Times{Touch: 2 * day, NoUsualIdle: true}, nil},
	} {
		c.times.NoTimeout, c.times.DefaultIdle, c.times.DefaultLoad, c.times.DefaultSave, c.times.DefaultCheck = -1, day, 5*time.Second, 6*time.Second, time.Minute
		wants(t, c.about, c.times.Check(), c.want...)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	secure := cookie.Attributes{Path: "/", Secure: true}
	for _, c := range []struct {
		about          string
		cookie         check.Cookie
		prefix, others []string
	}{
		{"the default", check.Cookie{Attributes: secure}, nil, nil},
		{"a prefix without Secure", check.Cookie{Name: "__SECURE-id", Attributes: cookie.Attributes{Path: "/"}}, []string{`Name: "__SECURE-id"`}, nil},
		{"a Domain with __Host-", check.Cookie{Name: "__Host-id", Attributes: cookie.Attributes{Path: "/", Secure: true, Domain: "a.test"}}, []string{"Cookie.Domain: __Host-"}, nil},
		{"a Path with __Host-", check.Cookie{Name: "__Host-id", Attributes: cookie.Attributes{Path: "/a", Secure: true}}, []string{"Cookie.Path: __Host-"}, nil},
		{"no Path with __Host-", check.Cookie{Name: "__Host-id", Attributes: cookie.Attributes{Secure: true}}, []string{"Cookie.Path: __Host-"}, nil},
		{"a negative MaxAge", check.Cookie{Attributes: secure, MaxAge: -1}, nil, []string{"Cookie.MaxAge: at once"}},
		{"express-session's milliseconds", check.Cookie{Attributes: secure, MaxAge: 86_400}, nil, []string{"Cookie.MaxAge: milliseconds"}},
		{"more than browsers keep, and a date", check.Cookie{Attributes: secure, MaxAge: 401 * day, HasDate: true}, nil, []string{"Cookie.MaxAge: 400 days", "Cookie.Expires: beside MaxAge"}},
		{"a relative path", check.Cookie{Attributes: cookie.Attributes{Path: "a", Secure: true}}, nil, []string{"Cookie.Path: write /a"}},
		{"what needs Secure", check.Cookie{Attributes: cookie.Attributes{Path: "/", SameSite: cookie.SameSiteNone, Partitioned: true}}, nil, []string{"Cookie.SameSite: without Secure", "Cookie.Partitioned: without Secure"}},
		{"net/http's constants", check.Cookie{Attributes: secure, Unknown: true}, nil, []string{"Cookie: constants"}},
		{"an invalid domain", check.Cookie{Attributes: cookie.Attributes{Domain: "a b", Path: "/"}}, nil, []string{"Cookie: Domain"}},
	} {
		wants(t, c.about, c.cookie.CheckPrefix(), c.prefix...)
		wants(t, c.about, c.cookie.Check(), c.others...)
	}
	wants(t, "a name with a space", check.Name("a b"), `Name: "a b"`)
	wants(t, "no name", check.Name(""))
}

func TestFormer(t *testing.T) {
	t.Parallel()
	now := jar.Cookie{Name: "sid", Path: "/"}
	for _, c := range []struct {
		about         string
		written, full jar.Cookie
		now           *jar.Cookie
		want          []string
	}{
		{"another path", jar.Cookie{Path: "/a"}, jar.Cookie{Name: "sid", Path: "/a"}, &now, nil},
		{"the cookie as it is now", jar.Cookie{}, now, &now, []string{"F: as it is now"}},
		{"the same, where the cookie differs by request", jar.Cookie{}, now, nil, nil},
		{"a relative path", jar.Cookie{Path: "a"}, jar.Cookie{Name: "sid", Path: "a"}, &now, []string{"F.Path: slash"}},
		{"an invalid name", jar.Cookie{Name: "a b"}, jar.Cookie{Name: "a b", Path: "/"}, &now, []string{"F.Name: not a cookie name"}},
		{"an invalid domain", jar.Cookie{Domain: "a b"}, jar.Cookie{Name: "sid", Domain: "a b", Path: "/"}, &now, []string{"F: Domain"}},
		{"a Domain with __Host-", jar.Cookie{Name: "__host-a", Domain: "a.test"}, jar.Cookie{Name: "__host-a", Domain: "a.test", Path: "/"}, &now, []string{"F: browsers keep no cookie"}},
	} {
		wants(t, c.about, check.Former("F", c.written, c.full, c.now), c.want...)
	}
}

func TestDefaultName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attributes cookie.Attributes
		differs    bool
		want       string
	}{
		{cookie.Attributes{Secure: true, Path: "/"}, false, "__Host-sid"},
		{cookie.Attributes{Secure: true, Path: "/a"}, false, "__Secure-sid"},
		{cookie.Attributes{Secure: true}, false, "__Secure-sid"},
		{cookie.Attributes{Secure: true, Path: "/", Domain: "a.test"}, false, "__Secure-sid"},
		{cookie.Attributes{Path: "/"}, false, "sid"},
		{cookie.Attributes{Secure: true, Path: "/"}, true, "sid"},
	} {
		if got := check.DefaultName(&c.attributes, c.differs); got != c.want {
			t.Errorf("%+v: %s, want %s", c.attributes, got, c.want)
		}
	}
}
