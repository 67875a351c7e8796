package document

import (
	"strings"
	"testing"
)

// What the cache holds is bounded in bytes, and what is asked for again and again stays.
func TestTheDocumentCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newDocumentCache[aField]()
	hot := &Document[aField]{key: "hot", Data: []byte("hot")}
	c.put(hot)
	for i := range 20_000 {
		key := strings.Repeat("k", 10) + string(rune('a'+i%26)) + strings.Repeat("x", i%1000) + string(rune(i))
		c.put(&Document[aField]{key: key, Data: make([]byte, i%8000)})
		if c.get("hot", hot.Data) != hot {
			t.Fatalf("the document in use was dropped after %d others", i)
		}
		total := 0
		for s := range c.shards {
			total += c.shards[s].bytes
		}
		if total > cacheBytes {
			t.Fatalf("after %d documents the cache holds %d bytes of %d", i, total, cacheBytes)
		}
	}
	for i := range c.shards {
		sum := 0
		for j := range c.shards[i].sets {
			for k := range c.shards[i].sets[j].ways {
				if d := c.shards[i].sets[j].ways[k].Load(); d != nil {
					sum += documentSize(d.Data)
				}
			}
		}
		if sum != c.shards[i].bytes {
			t.Errorf("shard %d counts %d bytes and holds %d", i, c.shards[i].bytes, sum)
		}
	}
	if c.put(&Document[aField]{key: "hot", Data: make([]byte, cacheMaxBytes+1)}); c.get("hot", hot.Data) != nil {
		t.Error("a document that is too large left the one before in the cache")
	}
}
