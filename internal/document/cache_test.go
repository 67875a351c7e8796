package document

import (
	"fmt"
	"testing"
)

// What the cache has is bounded, belongs to sessions that live, and is of the last version.
func TestTheCacheKeepsLiveSessionsOnly(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	c, err := NewCodec[aField](nil, false, Cookies{Parse: keepCookie}, limit)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal = NewSealer([]string{"a secret for tests"}, "", false, true)
	compose := func(key string, size int, info Meta) *Document[aField] {
		padding := fmt.Appendf(nil, `{"originalMaxAge":null,"padding":"%0*d"}`, size, 0)
		d, err := c.Compose(c.Empty, key, &aField{1}, []byte(`{"visits":1}`), padding, string(padding), Lifetime{}, info, Opener{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	cached := func(key string) bool { p := c.Look(key); return p.entry != nil }
	for i := range 5000 {
		c.Keep(compose(fmt.Sprint(i), i%1000, Meta{}), 1)
		if n, bytes := c.Cached(); bytes > limit {
			t.Fatalf("%d documents take %d bytes of %d", n, bytes, limit)
		}
	}
	if n, _ := c.Cached(); n < 300 {
		t.Errorf("the cache has %d documents", n)
	}
	for name, keep := range map[string]func(){
		"a session that has ended since it was composed": func() {
			d := compose("a", 10, Meta{})
			c.Forget("a")
			c.Keep(d, 2)
		},
		"a session that has ended since it was loaded": func() {
			p, text := c.Look("a"), compose("a", 20, Meta{}).Data
			c.Forget("a")
			if _, err := c.DecodeAt(p, "a", text, 2, Opener{}); err != nil {
				t.Error(err)
			}
		},
		"a tombstone": func() { c.Keep(compose("a", 10, Meta{Ended: true}), 2) },
		"a pointer":   func() { c.Keep(compose("a", 10, Meta{Successor: "b", Until: 1}), 2) },
		"a large document, or the version before it": func() { c.Keep(compose("a", maxDocument, Meta{}), 2) },
	} {
		live := compose("a", 10, Meta{})
		c.Keep(live, 1)
		if _, err := c.DecodeAt(c.Look("a"), "a", live.Data, 1, Opener{}); err != nil || !cached("a") {
			t.Fatalf("a live session is not cached: %v", err)
		}
		if keep(); cached("a") {
			t.Errorf("%s is cached", name)
		}
	}
}
