package inspect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
)

// For a cookie that was cut off, the error says so, wherever it was cut: the signature of one id in
// 45 has an escape exactly there.
func TestCutCookie(t *testing.T) {
	t.Parallel()
	signer, err := cookie.NewSigner("a secret")
	if err != nil {
		t.Fatal(err)
	}
	within := 0
	for i := range 100 {
		value := string(signer.AppendValue(nil, fmt.Sprint("an id, ", i)))
		for n := len("s%3A") + 1; n < len(value); n++ {
			cut := value[:n]
			if partOfEscape.MatchString(cut) {
				within++
			}
			if _, err := Cookie(cut, "", []string{"a secret"}); err == nil || !strings.Contains(err.Error(), "was the cookie cut off?") && !strings.Contains(err.Error(), "was it cut off?") {
				t.Fatalf("%q: %v", cut, err)
			}
		}
	}
	if within == 0 {
		t.Error("none was cut within an escape")
	}
}

// An invalid escape is not taken for an escape that was cut off.
func TestBrokenEscapes(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"s%3Aid%zz.abc", "s%3Aid%.abc", "s%3Aid.abc%2Gx"} {
		if _, err := Cookie(value, "", []string{"a secret"}); err == nil || !strings.Contains(err.Error(), "invalid %-escape") {
			t.Errorf("%q: %v", value, err)
		}
	}
	signer, err := cookie.NewSigner("a secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Cookie(string(signer.AppendValue(nil, "id"))+"%", "", []string{"a secret"}); err == nil || !strings.Contains(err.Error(), "was appended") {
		t.Errorf("%v", err)
	}
	if _, err := Cookie("an-id-100%", "", []string{"a secret"}); err == nil || !strings.Contains(err.Error(), `does not begin with "s:"`) {
		t.Errorf("%v", err)
	}
}
