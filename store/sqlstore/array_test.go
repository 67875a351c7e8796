package sqlstore

import (
	"math"
	"strings"
	"testing"
)

func TestArrays(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00\xff", 200)
	for what, test := range map[string]struct{ got, want string }{
		"byteas":       {byteas([]string{"", "a", "\"\\\x00é"}), `{"\\x","\\x61","\\x225c00c3a9"}`},
		"long byteas":  {byteas([][]byte{[]byte(long), nil}), `{"\\x` + strings.Repeat("00ff", 200) + `","\\x"}`},
		"no byteas":    {byteas([]string{}), `{}`},
		"bigints":      {bigints([]int64{0, -1, math.MaxInt64, math.MinInt64}), `{0,-1,9223372036854775807,-9223372036854775808}`},
		"JSON":         {jsonStrings([]string{"a", "b-_"}), `["a","b-_"]`},
		"native":       {byteas([]string{"a"}), `{"\\x61"}`},
		"another's":    {textArray([]string{"a", "{b,c}"}), `{"a","{b,c}"}`},
		"another's, 1": {textArray([]string{"NULL"}), `{"NULL"}`},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", what, test.got, test.want)
		}
	}
	for id, want := range map[string]bool{"Az09-_.~+/=": true, "a b": false, `a"`: false, `a\`: false, "é": false, "\x00": false, "\x7f": false, "\n": false} {
		if plain(id) != want {
			t.Errorf("plain(%q) is %v, want %v", id, !want, want)
		}
	}
}
