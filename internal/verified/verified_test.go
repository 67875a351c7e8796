package verified

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nestsession/session/cookie"
)

func newCache(t *testing.T, limit int, secrets ...string) (Cache, *cookie.Signer) {
	t.Helper()
	signer, err := cookie.NewSigner(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return New(signer, func(id string) string { return "key of " + id }, limit), signer
}

// AsSent says whether the text is the one that the signer writes, whatever spelling came.
func TestAsSentIsTheSignersText(t *testing.T) {
	t.Parallel()
	c, signer := newCache(t, DefaultCacheBytes, "new", "old")
	_, old := newCache(t, 0, "old")
	for i := range 200 {
		for _, id := range []string{fmt.Sprint("id-", i), fmt.Sprint("id_.", i), fmt.Sprint("user/", i), fmt.Sprint("é ", i), fmt.Sprint("a!~*'()", i), fmt.Sprint("%41", i)} {
			sent := string(signer.AppendValue(nil, id))
			for _, value := range []string{
				sent, string(signer.AppendSigned(nil, id)), string(old.AppendValue(nil, id)),
				strings.Replace(sent, "%3A", "%3a", 1), strings.ReplaceAll(sent, "%2B", "+"), strings.ReplaceAll(sent, "%2F", "/"), strings.Replace(sent, "d", "%64", 1),
			} {
				for range 2 {
					v, err := c.Verify(value)
					if err != nil {
						continue // Latin-1
					}
					if v.ID != id || v.Value != value || v.Key != "key of "+id || v.AsSent != (value == sent) {
						t.Fatalf("%s of %s: %+v", value, id, v)
					}
				}
			}
		}
	}
	for _, value := range []string{"", "s:", "s%3Aid-1.x", string(signer.AppendValue(nil, "id-1"))[1:]} {
		if _, err := c.Verify(value); err == nil {
			t.Errorf("%q is accepted", value)
		}
	}
}

// What is remembered is bounded in bytes, and nothing is left of sessions that have ended,
// whatever spellings of their cookies came.
func TestForgetsAndIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	c, signer := newCache(t, limit, "secret")
	verify := func(value string) {
		if _, err := c.Verify(value); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		id := fmt.Sprintf("%032d", i)
		verify(string(signer.AppendValue(nil, id)))
		verify(string(signer.AppendSigned(nil, id)))
		if n, bytes := c.Count(); bytes > 2*limit {
			t.Fatalf("%d cookies take %d bytes", n, bytes)
		}
	}
	if n, _ := c.Count(); n < 300 {
		t.Errorf("only %d cookies are remembered", n)
	}
	for i := range 10_000 {
		c.Drop(fmt.Sprintf("key of %032d", i))
	}
	if n, _ := c.Count(); n != 0 {
		t.Errorf("%d cookies are left", n)
	}
	if n, _ := c.keys.Count(); n != 0 {
		t.Errorf("%d keys are left", n)
	}
}
