package jar_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/jar"
)

func clearer(url string, secure bool) jar.Clearer {
	return jar.Clearer{
		Header: http.Header{}, Request: httptest.NewRequest("GET", url, nil), Secure: secure,
		Attributes: cookie.Attributes{Path: "/", HTTPOnly: true, Secure: true, SameSite: cookie.SameSiteLax},
	}
}

func TestCopiesAreClearedWhereTheyCanStand(t *testing.T) {
	t.Parallel()
	own := jar.Cookie{Name: "sid", Path: "/"}
	for _, c := range []struct {
		about, name, url string
		secure           bool
		what             jar.Clearing
		want             []string
	}{
		{"all but the session's", "sid", "https://shop.test/", true, jar.ClearOthers, []string{
			"sid=; Path=/; Max-Age=0; HttpOnly; Secure; Partitioned; SameSite=None",
			"sid=; Domain=shop.test; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"sid=; Domain=shop.test; Path=/; Max-Age=0; HttpOnly; Secure; Partitioned; SameSite=None",
		}},
		{"the session's too", "sid", "https://shop.test/", true, jar.ClearAll, []string{
			"sid=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"sid=; Path=/; Max-Age=0; HttpOnly; Secure; Partitioned; SameSite=None",
			"sid=; Domain=shop.test; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"sid=; Domain=shop.test; Path=/; Max-Age=0; HttpOnly; Secure; Partitioned; SameSite=None",
		}},
		{"over plain HTTP", "sid", "http://localhost/", false, jar.ClearAll, []string{
			"sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		}},
		{"a name with a prefix", "__Host-sid", "https://shop.test/a/b", true, jar.ClearAll, []string{
			"__Host-sid=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"__Host-sid=; Path=/; Max-Age=0; HttpOnly; Secure; Partitioned; SameSite=None",
		}},
	} {
		k := clearer(c.url, c.secure)
		k.Copies(c.name, own, c.what)
		var got []string
		for _, line := range k.Header["Set-Cookie"] {
			got = append(got, sorted(line))
		}
		for i := range c.want {
			c.want[i] = sorted(c.want[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.about, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// sorted orders a line's attributes, and omits the date that goes with Max-Age.
func sorted(line string) string {
	parts := strings.Split(line, "; ")
	parts = slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, "Expires=") })
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func TestClearedLinesAreBounded(t *testing.T) {
	t.Parallel()
	k := clearer("https://a.b.c.d.shop.test"+strings.Repeat("/p", 200), true)
	k.Copies("sid", jar.Cookie{Name: "sid", Path: "/"}, jar.ClearAll)
	if n := len(k.Header["Set-Cookie"]); n != jar.MaxClears {
		t.Errorf("%d lines", n)
	}
}

func TestAFormerCookieIsClearedOnceIfItWasSent(t *testing.T) {
	t.Parallel()
	k := clearer("https://shop.test/", true)
	was := jar.Cookie{Name: "was", Path: "/", Domain: "shop.test"}
	if k.IfSent(was); len(k.Header) != 0 {
		t.Errorf("the request does not have it: %v", k.Header)
	}
	k.Request.Header.Set("Cookie", "was=1")
	k.IfSent(was)
	k.IfSent(was)
	if lines := k.Header["Set-Cookie"]; len(lines) != 1 || !strings.HasPrefix(lines[0], "was=; ") || !strings.Contains(lines[0], "Domain=shop.test") {
		t.Errorf("cleared by %q", lines)
	}
}

func TestSent(t *testing.T) {
	t.Parallel()
	former := []jar.Cookie{{Name: "was"}, {Name: "older"}}
	for line, want := range map[string]bool{"": false, "sid=1": false, "sid=1; older=": true, "was=2": true, "Was=2": false} {
		if got := jar.Sent([]string{line}, former); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	if jar.Sent([]string{"was=1"}, nil) {
		t.Error("one of no names")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cookie, request string
		want            bool
	}{
		{"/", "/", true}, {"/", "/admin", true}, {"/admin", "/admin", true}, {"/admin", "/admin/users", true}, {"/admin/", "/admin/users", true},
		{"/admin", "/administrator", false}, {"/admin/", "/admin", false}, {"/admin", "/", false}, {"/admin", "", false},
	} {
		if got := jar.Covers(c.cookie, c.request); got != c.want {
			t.Errorf("%q covers %q: %v", c.cookie, c.request, got)
		}
	}
}
