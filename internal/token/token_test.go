package token_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/token"
)

func reader(t testing.TB, r token.Reader) *token.Reader {
	t.Helper()
	checked, err := token.Check(r, token.Cookies{})
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

// What Text returns comes back as the cookie's value that the signer verifies, in each form of
// header. Nothing else does, whatever a client sends.
func FuzzChoose(f *testing.F) {
	signer, err := cookie.NewSigner("a secret for tests, 32 bytes or so")
	if err != nil {
		f.Fatal(err)
	}
	bearer, own := reader(f, token.Reader{Use: token.Wins}), reader(f, token.Reader{Use: token.Only, Name: "x-session"})
	text := bearer.Text(signer, "an-id")
	for _, line := range []string{"", "Bearer", "Bearer ", "bearer " + text, text, "Basic " + text, "Bearer a b", "Bearer s%3Aan-id.x", "Bearer é", "B", "Bearer\t" + text} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for name, r := range map[string]*token.Reader{"Authorization": bearer, "X-Session": own} {
			value, source := r.Choose(http.Header{name: {line}}, "sid", nil)
			scheme := name == "X-Session" || len(line) >= 6 && strings.EqualFold(line[:6], "bearer") && (len(line) == 6 || line[6] == ' ' || line[6] == '\t')
			if (source == token.Header) != scheme {
				t.Fatalf("%s: %q comes from %d", name, line, source)
			}
			if id, _, err := signer.Verify(value); err == nil && !strings.HasSuffix(line, r.Text(signer, id)) {
				t.Errorf("%s: %q is taken for a token of %q", name, line, id)
			}
		}
	})
}

func TestTextAndChoose(t *testing.T) {
	t.Parallel()
	signer, err := cookie.NewSigner("a secret for tests, 32 bytes or so")
	if err != nil {
		t.Fatal(err)
	}
	r := reader(t, token.Reader{Use: token.Wins, Scheme: "Session"})
	for _, id := range []string{"an-id", "a.dot", "slash/plus+~_"} {
		text := r.Text(signer, id)
		value, source := r.Choose(http.Header{"Authorization": {"session  " + text}, "Cookie": {"sid=1"}}, "sid", nil)
		got, _, err := signer.Verify(value)
		if err != nil || got != id || source != token.Header || !token.Valid(text) {
			t.Errorf("%q: the token is of %q, %v", id, got, err)
		}
	}
	for _, id := range []string{"", "a:b", "a b", "é"} {
		if text := r.Text(signer, id); text != "" {
			t.Errorf("%q has a token", id)
		}
	}
}
