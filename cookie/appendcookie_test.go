package cookie_test

import (
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
)

// AppendCookie is a shortcut: it writes what Append and AppendValue write together,
// and refuses what they refuse.
func TestAppendCookieIsAppendOfAppendValue(t *testing.T) {
	t.Parallel()
	signer, err := cookie.NewSigner("a secret", "an older one")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sid", "", "a b", strings.Repeat("n", cookie.MaxSize)} {
		for _, id := range []string{"plain", "sp ace", "é", strings.Repeat("x", 4000)} {
			for _, a := range []*cookie.Attributes{nil, {Path: "/"}, {Path: "/;x"}, {HTTPOnly: true, Domain: "example.com"}} {
				want := cookie.Append([]byte("kept "), name, string(signer.AppendValue(nil, id)), a)
				got := signer.AppendCookie([]byte("kept "), name, id, a)
				if string(got) != string(want) {
					t.Errorf("name of %d bytes, id of %d: %d bytes, want %d", len(name), len(id), len(got), len(want))
				}
			}
		}
	}
}
