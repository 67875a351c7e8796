package cookie_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nestsession/session/cookie"
)

// FuzzLookup compares with a slow reading of the same rules. Line breaks in the
// input separate the lines of the field.
func FuzzLookup(f *testing.F) {
	for _, v := range readVectors[headerVector](f, "cookie-headers.json") {
		f.Add(strings.Join(v.lines(f), "\n"), v.CookieName)
	}
	for _, file := range caseFiles(f) {
		c := readCase(f, file)
		f.Add(strings.Join(c.lines, "\n"), c.name)
	}
	for _, header := range []string{"a", "a=", `a="`, `a=""`, "a =\t\"x\" ;a=y", "aa=1;=a;a\na=a=a"} {
		f.Add(header, "a")
	}
	f.Fuzz(func(t *testing.T, header, name string) {
		if cookie.ValidName(name) != nil {
			return
		}
		lines := strings.Split(header, "\n")
		first, n := cookie.Lookup(lines, name)
		if wantFirst, want := slowLookup(lines, name); first != wantFirst || n != want {
			t.Errorf("Lookup(%q, %q) = %q, %d; want %q, %d", lines, name, first, n, wantFirst, want)
		}
	})
}

// FuzzVerify compares with a slow reading of the same rules, for the value as
// it is, and signed with each secret in two spellings, so that the fuzzer gets
// beyond the signature.
func FuzzVerify(f *testing.F) {
	for _, v := range readVectors[signingVector](f, "signing.json") {
		secrets := v.secrets()
		f.Add(v.CookieValue, secrets[0], secrets[len(secrets)-1])
		for _, r := range v.RequestCookies {
			value, _ := cookie.Lookup([]string{r.Cookie}, "connect.sid")
			f.Add(value, secrets[0], secrets[len(secrets)-1])
		}
	}
	for _, file := range caseFiles(f) {
		c := readCase(f, file)
		value, _ := cookie.Lookup(c.lines, c.name)
		f.Add(value, c.secrets[0], c.secrets[len(c.secrets)-1])
		f.Add(strings.TrimRight(value, "."), "a", "b")
	}
	for _, value := range []string{"s:", "s:a", "s%3Aé", "s%3A%C3%A9", "s:\xe9", "s:100%", "%73%3a%2e", "s:a\n", "s%3A%F0%9F%8D%AA"} {
		f.Add(value, "new", "old")
	}
	f.Fuzz(func(t *testing.T, value, secret, old string) {
		s, err := cookie.NewSigner(secret, old)
		if err != nil {
			if secret != "" && old != "" {
				t.Fatal(err)
			}
			return
		}
		check := func(value string) {
			id, index, err := s.Verify(value)
			wantID, wantIndex, want := slowVerify(value, secret, old)
			if id != wantID || index != wantIndex || !errors.Is(err, want) {
				t.Fatalf("Verify(%q) = %q, %d, %v; want %q, %d, %v", value, id, index, err, wantID, wantIndex, want)
			}
			if err != nil {
				return
			}
			// What is accepted is what signing the id again gives.
			again, err := cookie.NewSigner([]string{secret, old}[index])
			if err != nil {
				t.Fatal(err)
			}
			if signed := string(again.AppendSigned(nil, id)); signed != slowUnescape(value) {
				t.Fatalf("Verify(%q) = %q, which signed anew is %q", value, id, signed)
			}
			if err := cookie.ValidID(id); err != nil {
				t.Fatalf("Verify(%q) = %q: %v", value, id, err)
			}
			escaped := string(s.AppendValue(nil, id))
			if back, _, err := s.Verify(escaped); len(escaped) <= cookie.MaxSize && (err != nil || back != id) {
				t.Fatalf("%q came back as %q, %v", id, back, err)
			}
		}
		check(value)
		id := strings.TrimPrefix(slowUnescape(value), "s:")
		for _, key := range []string{secret, old} {
			mac := slowMAC(key, id)
			check(value + "." + mac)
			check(value + "." + url.PathEscape(mac))
			check(value + "." + mac[:len(mac)-1])
			check(value + "." + mac + "=")
		}
	})
}

// FuzzAppend builds a line and reads it back with net/http: what is written is
// what was asked for and not more, and what is not written was refused, for a
// reason that the grammar confirms.
func FuzzAppend(f *testing.F) {
	for _, v := range readVectors[setCookieVector](f, "set-cookie.json") {
		a, err := v.attributes()
		if err != nil {
			continue
		}
		seconds := int64(0)
		if !a.Expires.IsZero() {
			seconds = a.Expires.Unix()
		}
		f.Add("connect.sid"+v.Options.Name, "s%3Aid.sig", a.Domain, a.Path, seconds, uint8(0b111), string(a.Priority), string(a.SameSite))
	}
	for _, text := range []string{";", "\r\n", "\x00", "=", `"`, " ", "é", "a;b", "a, b", strings.Repeat("a", 5000)} {
		f.Add("n"+text, "v"+text, "d"+text, "/"+text, int64(1), uint8(0), "High"+text, "Lax"+text)
		f.Add("n", "v"+text, "", "/"+text, int64(-1), uint8(2), "High", "Lax")
		f.Add("n", "v", "d"+text, "/"+text, int64(1<<40), uint8(5), "", "")
	}
	f.Fuzz(func(t *testing.T, name, value, domain, path string, expires int64, flags uint8, priority, sameSite string) {
		a := &cookie.Attributes{
			Domain: domain, Path: path,
			HTTPOnly: flags&1 != 0, Secure: flags&2 != 0, Partitioned: flags&4 != 0,
			Priority: cookie.Priority(priority), SameSite: cookie.SameSite(sameSite),
		}
		if expires != 0 {
			a.Expires = time.Unix(expires, 999_999_999)
		}
		valid := nameGrammar.MatchString(name) && valueGrammar.MatchString(value) && len(name)+len(value) <= 4096 &&
			domainGrammar.MatchString(domain) && pathGrammar.MatchString(path) &&
			expires >= -8_640_000_000_000 && expires < 8_640_000_000_000 &&
			slices.Contains([]string{"", "Low", "Medium", "High"}, priority) &&
			slices.Contains([]string{"", "Lax", "Strict", "None"}, sameSite)
		err := errors.Join(cookie.ValidPair(name, value), a.Validate())
		line := string(cookie.Append(nil, name, value, a))
		if valid != (err == nil) || valid != (line != "") {
			t.Fatalf("valid: %v, but the error is %v and the line %q", valid, err, line)
		}
		if !valid {
			return
		}

		if strings.ContainsAny(line, "\r\n\x00") || !utf8.ValidString(line) {
			t.Fatalf("not a field value: %q", line)
		}
		parts := 1
		for _, given := range []bool{
			domain != "", path != "", expires != 0, a.HTTPOnly, a.Secure, a.Partitioned, priority != "", sameSite != "",
		} {
			if given {
				parts++
			}
		}
		if got := strings.Count(line, ";") + 1; got != parts {
			t.Fatalf("%d parts for %d attributes: %q", got, parts, line)
		}
		got, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		// Readers cut off spaces at the end, and net/http puts a path aside that
		// has a quote or a backslash in it.
		gotPath, wantPath := got.Path, strings.TrimRight(path, " ")
		if strings.ContainsAny(path, `"\\`) && slices.Contains(got.Unparsed, "Path="+wantPath) {
			gotPath = wantPath
		}
		if got.Name != name || got.Value != value || got.Domain != domain || gotPath != wantPath ||
			got.HttpOnly != a.HTTPOnly || got.Secure != a.Secure || got.Partitioned != a.Partitioned || got.MaxAge != 0 {
			t.Fatalf("%q is read as %+v", line, got)
		}
		if want := a.Expires.UTC(); expires != 0 && want.Year() >= 0 && want.Year() <= 9999 &&
			!got.Expires.Equal(want.Truncate(time.Second)) {
			t.Fatalf("%q expires at %v, want %v", line, got.Expires, want)
		}
		if priority != "" && !slices.Contains(got.Unparsed, "Priority="+priority) {
			t.Fatalf("%q is read without its priority: %+v", line, got)
		}
		sites := map[string]http.SameSite{"Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode, "None": http.SameSiteNoneMode}
		if got.SameSite != sites[sameSite] {
			t.Fatalf("%q is read with SameSite %v", line, got.SameSite)
		}
	})
}
