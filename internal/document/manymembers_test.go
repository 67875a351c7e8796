package document

import (
	"bytes"
	"fmt"
	"github.com/nestsession/session/internal/jsontext"
	"strings"
	"testing"
)

// manyMembers is a document of n keys and about size bytes.
func manyMembers(n, size int) []byte {
	var text strings.Builder
	text.WriteString(`{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}`)
	filler := strings.Repeat("v", max(size/n-len(`,"k12345":""`), 0))
	for i := range n {
		fmt.Fprintf(&text, `,"k%05d":"%s"`, i, filler)
	}
	text.WriteString(`}`)
	return []byte(text.String())
}

type aField struct {
	Visits int `json:"visits"`
}

// Whatever keys somebody makes, looking one up is no walk over the others: of members
// that T has no field for nothing is made, and many are found by a map.
func TestManyKeysAreNotLookedAtOneByOne(t *testing.T) { // not parallel: it counts allocations
	text := manyMembers(60_000, 1_000_000)
	c, err := sealingCodec[aField]()
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1, func() {
		d, err := c.Read("key", text)
		if err != nil {
			t.Fatal(err)
		}
		if others, err := c.others(d); err != nil || len(others) != 1 {
			t.Errorf("%d others, %v", len(others), err)
		}
	}); n > 100 {
		t.Errorf("reading a document of 60,000 unknown keys takes %v allocations", n)
	}
	members, err := jsontext.Parse(text)
	if err != nil || len(members) != 60_001 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	if set := jsontext.Indexed(members); set.At == nil || set.Find("k59999") != 60_000 || set.Find("other") != -1 {
		t.Error("many members are not indexed")
	}
}

// Of a key that stands twice the last counts, be they few or many.
func TestOfAKeyTwiceTheLastCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, jsontext.FewMembers, 1000} {
		text := manyMembers(n, 20*n)
		text = append(bytes.TrimSuffix(text, []byte("}")), `,"k00000":"last"}`...)
		members, err := jsontext.Parse(text)
		if all := jsontext.Indexed(members); err != nil || len(members) != n+1 || string(all.Get("k00000")) != `"last"` {
			t.Errorf("of %d keys: %s %v", n, all.Get("k00000"), err)
		}
		c, err := sealingCodec[map[string]any]()
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.Read("key", text)
		if err != nil || d.Value["k00000"] != "last" {
			t.Fatalf("of %d keys: %v", n, err)
		}
		if others, err := c.others(d); err != nil || len(others) != n {
			t.Errorf("of %d keys %d others, %v", n, len(others), err)
		}
	}
}
