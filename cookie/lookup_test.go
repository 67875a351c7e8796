package cookie_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		explain string
		lines   []string
		first   string
		n       int
	}{
		{"no Cookie field", nil, "", 0},
		{"an empty one", []string{""}, "", 0},
		{"a name without a value is no cookie", []string{"sid"}, "", 0},
		{"a name without a value does not swallow the next pair", []string{"sid; sid=1"}, "1", 1},
		{"an empty value is a cookie", []string{"sid="}, "", 1},
		{"a value keeps its equals signs", []string{"sid=a=b=="}, "a=b==", 1},
		{"spaces and tabs around name and value do not count", []string{" \tsid\t = \tv w\t "}, "v w", 1},
		{"other white space does", []string{"sid=\u00a0v\v", "\vsid=x"}, "\u00a0v\v", 1},
		{"names are case-sensitive", []string{"SID=1; Sid=2"}, "", 0},
		{"a name within another is another", []string{"xsid=1; sidx=2; si=3; sid.sig=4; sid sid=5"}, "", 0},
		{"a name in a value is no cookie", []string{"a=sid=1; b= sid=2; c sid=3; d= ;sid"}, "", 0},
		{"all are counted, the first is returned", []string{"sid=1; a=2; sid=3", "sid=4"}, "1", 3},
		{"an empty first one counts", []string{"sid=; sid=2"}, "", 2},
		{"lines are read in order", []string{"a=1", "", ";;", "sid=2"}, "2", 1},
		{"a pair does not go on in the next line", []string{"sid", "=1"}, "", 0},
		{"quotes around the value do not count", []string{`sid="a b"`}, "a b", 1},
		{"quotes do not hide a semicolon", []string{`sid="a;b"`}, `"a`, 1},
		{"nor do they hide a pair", []string{`a="x; sid=1; y"`}, "1", 1},
		{"one quote stays", []string{`sid="a`}, `"a`, 1},
		{"but for Node a single quote is both quotes", []string{`sid="`}, "", 1},
		{"empty quotes are empty", []string{`sid=""`}, "", 1},
		{"one pair of quotes goes", []string{`sid=""a""`}, `"a"`, 1},
		{"spaces within quotes stay", []string{`sid=" a "`}, " a ", 1},
		{"nothing is unescaped", []string{"sid=%41%"}, "%41%", 1},
	} {
		first, n := cookie.Lookup(c.lines, "sid")
		if first != c.first || n != c.n {
			t.Errorf("%s: %q\ngot %q of %d, want %q of %d", c.explain, c.lines, first, n, c.first, c.n)
		}
	}
}

func TestLookupOfNoName(t *testing.T) {
	t.Parallel()
	if first, n := cookie.Lookup([]string{"=1; a=2"}, ""); first != "" || n != 0 {
		t.Errorf("got %q of %d", first, n)
	}
}

// The time for a malicious header is linear in its length: a megabyte takes a few
// milliseconds. If it were quadratic, it would take half a minute.
func TestLookupIsLinear(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, unit := range []string{"sid", "sid ", "sid;", "sid\t \t", "si", " ", `"`, "sid sid=", "aid"} {
		cookie.Lookup([]string{strings.Repeat(unit, 1<<20/len(unit))}, "sid")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
