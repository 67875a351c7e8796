package cookie_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
)

func TestAppendDates(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 9*60*60)
	for _, c := range []struct {
		date time.Time
		want string // as Node's toUTCString
	}{
		{time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), "Mon, 05 Jan 2026 00:00:00 GMT"},
		{time.Date(2026, 1, 5, 8, 59, 59, 0, east), "Sun, 04 Jan 2026 23:59:59 GMT"},
		{time.Date(2030, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "Tue, 31 Dec 2030 23:59:59 GMT"},
		{time.UnixMilli(-1), "Wed, 31 Dec 1969 23:59:59 GMT"},
		{time.Unix(0, 0), "Thu, 01 Jan 1970 00:00:00 GMT"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "Sat, 01 Jan 10000 00:00:00 GMT"},
		{time.Date(99, 1, 1, 0, 0, 0, 0, time.UTC), "Thu, 01 Jan 0099 00:00:00 GMT"},
		{time.Date(0, 3, 1, 0, 0, 0, 0, time.UTC), "Wed, 01 Mar 0000 00:00:00 GMT"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "Fri, 01 Jan -0001 00:00:00 GMT"},
		{time.UnixMilli(8_640_000_000_000_000), "Sat, 13 Sep 275760 00:00:00 GMT"},
		{time.UnixMilli(-8_640_000_000_000_000), "Tue, 20 Apr -271821 00:00:00 GMT"},
	} {
		got := string(cookie.Append(nil, "n", "v", &cookie.Attributes{Expires: c.date}))
		if want := "n=v; Expires=" + c.want; got != want {
			t.Errorf("%v\n got %q\nwant %q", c.date, got, want)
		}
	}
}

func TestAppendNeverSaysMaxAge(t *testing.T) {
	t.Parallel()
	line := cookie.Append(nil, "n", "v", &cookie.Attributes{Expires: time.Unix(1, 0)})
	if strings.Contains(strings.ToLower(string(line)), "max-age") {
		t.Errorf("%s", line)
	}
}

// What is refused is refused by the field's name, and not written either
// (CVE-2024-47764).
func TestNoInjection(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		field, name, value string
		a                  cookie.Attributes
	}{
		{"Name", "", "v", cookie.Attributes{}},
		{"Name", "a=b", "v", cookie.Attributes{}},
		{"Name", "sid=x; HttpOnly; a", "v", cookie.Attributes{}},
		{"Name", "sid\r\nX: y", "v", cookie.Attributes{}},
		{"Name", "sid ", "v", cookie.Attributes{}},
		{"Name", "sïd", "v", cookie.Attributes{}},
		{"Name", "s\x00d", "v", cookie.Attributes{}},
		{"Name", `"sid"`, "v", cookie.Attributes{}},
		{"Value", "sid", "a; Domain=evil.example", cookie.Attributes{}},
		{"Value", "sid", "a\r\nSet-Cookie: b=c", cookie.Attributes{}},
		{"Value", "sid", "a;b", cookie.Attributes{}},
		{"Value", "sid", "a,b", cookie.Attributes{}},
		{"Value", "sid", `a\b`, cookie.Attributes{}},
		{"Value", "sid", `"a"`, cookie.Attributes{}},
		{"Value", "sid", "a b", cookie.Attributes{}},
		{"Value", "sid", "\x7f", cookie.Attributes{}},
		{"Value", "sid", "é", cookie.Attributes{}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "example.com; Path=/evil"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "example.com\n"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "."}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "..example.com"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "a..b"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "-a.example"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "a-.example"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "[::1]"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: "bücher.example"}},
		{"Domain", "sid", "v", cookie.Attributes{Domain: long + ".example"}},
		{"Path", "sid", "v", cookie.Attributes{Path: "/; Domain=evil.example"}},
		{"Path", "sid", "v", cookie.Attributes{Path: "/\r\nX: y"}},
		{"Path", "sid", "v", cookie.Attributes{Path: "/<"}},
		{"Path", "sid", "v", cookie.Attributes{Path: "/é"}},
		{"Path", "sid", "v", cookie.Attributes{Path: "/\x7f"}},
		{"Expires", "sid", "v", cookie.Attributes{Expires: time.UnixMilli(8_640_000_000_000_001)}},
		{"Expires", "sid", "v", cookie.Attributes{Expires: time.UnixMilli(-8_640_000_000_000_001)}},
		{"Priority", "sid", "v", cookie.Attributes{Priority: "high"}},
		{"Priority", "sid", "v", cookie.Attributes{Priority: "High; Domain=evil.example"}},
		{"SameSite", "sid", "v", cookie.Attributes{SameSite: "lax"}},
		{"SameSite", "sid", "v", cookie.Attributes{SameSite: "Lax; Domain=evil.example"}},
	} {
		err := errors.Join(cookie.ValidPair(c.name, c.value), c.a.Validate())
		var field *cookie.FieldError
		if !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%q=%q %+v: got %v, want an error of %s", c.name, c.value, c.a, err, c.field)
		}
		if got := cookie.Append([]byte("before"), c.name, c.value, &c.a); string(got) != "before" {
			t.Errorf("%q=%q %+v: written as %q", c.name, c.value, c.a, got)
		}
	}
}

func TestValidDomains(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, domain := range []string{"", "localhost", "a", "a.b", ".Example.COM", "127.0.0.1", "xn--bcher-kva.example", "a--b", long + "." + long} {
		a := cookie.Attributes{Domain: domain}
		if err := a.Validate(); err != nil {
			t.Errorf("%q: %v", domain, err)
		}
	}
}

// Browsers drop a cookie whose name and value are over 4096 bytes together
// (RFC 6265bis, 5.7; ASVS 5.0, 3.3.5).
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	fits := strings.Repeat("a", cookie.MaxSize-len("sid"))
	if err := cookie.ValidPair("sid", fits); err != nil {
		t.Errorf("4096 bytes: %v", err)
	}
	if err := cookie.ValidPair("sid", fits+"a"); err == nil {
		t.Error("4097 bytes were accepted")
	}
	if got := cookie.Append(nil, "sid", fits+"a", nil); len(got) != 0 {
		t.Errorf("4097 bytes were written: %d", len(got))
	}
	if err := cookie.ValidName(strings.Repeat("a", cookie.MaxSize+1)); err == nil {
		t.Error("a name of 4097 bytes was accepted")
	}
}

// Errors are made anew: who changes one does not change the next.
func TestFieldErrorsAreNotShared(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", cookie.MaxSize+1)
	var field *cookie.FieldError
	if errors.As(cookie.ValidName(name), &field) {
		field.Reason = "is changed"
	}
	if err := cookie.ValidName(name); err == nil || strings.Contains(err.Error(), "is changed") {
		t.Errorf("got %v", err)
	}
}
