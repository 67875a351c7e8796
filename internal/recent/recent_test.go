package recent

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

type thing struct {
	Entry
	size int
}

func is(key string) func(*Entry) bool { return func(e *Entry) bool { return e.Key == key } }

func (c testCache) get(key string) *thing {
	e := c.Get(c.Hash(key), is(key))
	if e == nil {
		return nil
	}
	return e.Value.(*thing)
}

func (c testCache) put(key string, size int) {
	h, v := c.Hash(key), &thing{Entry{Key: key}, size}
	v.Value = v
	c.Put(h, &v.Entry, size, c.Drops(h), is(key))
}

func (c testCache) drop(key string) { c.Drop(c.Hash(key), is(key)) }

type testCache struct{ *Cache }

// What is kept takes at most the limit, what is counted is what is there, and what is in use
// stays.
func TestIsBoundedAndKeepsWhatIsInUse(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	c := testCache{New(limit)}
	gone := map[string]int{}
	c.Evicted = func(e *Entry) { gone[e.Key]++ }
	c.put("hot", 100)
	r := rand.New(rand.NewPCG(1, 2))
	const puts = 50_000
	for i := range puts {
		c.put(fmt.Sprint(i), r.IntN(2000))
		if c.get("hot") == nil {
			t.Fatalf("what is in use was dropped after %d others", i)
		}
		if n, bytes := c.Count(); bytes > limit {
			t.Fatalf("%d values take %d bytes of %d", n, bytes, limit)
		}
	}
	n, bytes := c.Count()
	found, sum := 1, 100
	for i := range puts {
		key := fmt.Sprint(i)
		v := c.get(key)
		if v != nil {
			found, sum = found+1, sum+v.size
		}
		if (v == nil) != (gone[key] == 1) || gone[key] > 1 {
			t.Fatalf("of %s: kept %v, evicted %d times", key, v != nil, gone[key])
		}
	}
	if n != found || bytes < sum || bytes < limit*3/4 {
		t.Errorf("%d values of %d bytes are counted, %d of %d bytes are there", n, bytes, found, sum)
	}
}

// A cache has room for all values that fit, and gives the memory back.
func TestGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	const values = 65_536
	c := testCache{New(values * 150)}
	for i := range values {
		c.put(fmt.Sprint(i), 64)
	}
	n, full := c.Count()
	if n < values*995/1000 {
		t.Errorf("%d of %d values are kept", n, values)
	}
	for i := range values {
		c.drop(fmt.Sprint(i))
	}
	if n, bytes := c.Count(); n != 0 || bytes > full/10 {
		t.Errorf("%d values are left and %d bytes of %d", n, bytes, full)
	}
}

func TestWithoutRoomKeepsNothing(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{-1, 0, 1, 100} {
		c := testCache{New(limit)}
		c.put("a", 50)
		if c.get("a") != nil {
			t.Errorf("a cache of %d bytes keeps 50", limit)
		}
		c.drop("a")
	}
	c := testCache{New(shardCount * 1000)}
	c.put("a", 100)
	if c.put("a", 900); c.get("a") != nil {
		t.Error("what has become too large is kept as it was")
	}
}

// What was dropped while a value was made is not kept: the value may be of before.
func TestKeepsNothingThatWasDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	c := testCache{New(1 << 20)}
	h := c.Hash("a")
	before := c.Drops(h)
	c.drop("a")
	c.Put(h, &Entry{Key: "a"}, 10, before, is("a"))
	if c.get("a") != nil {
		t.Error("it is kept")
	}
}

// Several goroutines use the cache: a value is the one of its key, and none is left when all
// are dropped.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := testCache{New(256 << 10)}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 20_000 {
				key := fmt.Sprint(r.IntN(2000))
				switch r.IntN(4) {
				case 0:
					c.put(key, 10+r.IntN(500))
				case 1:
					c.drop(key)
				default:
					if v := c.get(key); v != nil && v.Key != key {
						t.Errorf("%s is the value of %s", v.Key, key)
					}
				}
			}
		})
	}
	all.Wait()
	for i := range 2000 {
		c.drop(fmt.Sprint(i))
	}
	if n, _ := c.Count(); n != 0 {
		t.Errorf("%d values are left", n)
	}
}

func BenchmarkGet(b *testing.B) {
	c := testCache{New(64 << 20)}
	keys := make([]string, 65_536)
	for i := range keys {
		keys[i] = fmt.Sprintf("%043d", i)
		c.put(keys[i], 100)
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(keys)); pb.Next(); i = (i + 7919) % len(keys) {
			if c.get(keys[i]) == nil {
				b.Error("missing")
				return
			}
		}
	})
}

// A higher limit takes effect at once; a lower one empties the cache.
func TestSetLimit(t *testing.T) {
	t.Parallel()
	c := testCache{New(0)}
	c.put("a", 50)
	if c.get("a") != nil {
		t.Error("a cache without room keeps a value")
	}
	c.SetLimit(1 << 20)
	c.put("a", 50)
	c.SetLimit(1 << 21)
	if c.get("a") == nil {
		t.Error("a higher limit loses a value")
	}
	c.SetLimit(1 << 19)
	if n, bytes := c.Count(); n != 0 || bytes != 0 || c.get("a") != nil {
		t.Errorf("after a lower limit there are %d values of %d bytes", n, bytes)
	}
	c.put("a", 50)
	if c.get("a") == nil {
		t.Error("nothing is kept after a lower limit")
	}
}

// Of many values that are used once, a full cache takes few, and those that come again it takes.
func TestWantsWhatComesAgain(t *testing.T) {
	t.Parallel()
	const limit, size = 1 << 20, 100
	c := testCache{New(limit)}
	use := func(key string) (found bool) {
		if found = c.get(key) != nil; !found && c.Wants(c.Hash(key)) {
			c.put(key, size)
		}
		return found
	}
	room := 0
	for ; !c.Full(c.Hash("new")); room++ {
		use(fmt.Sprint("first ", room))
	}
	if least := limit / (2 * size) / 2; room < least {
		t.Errorf("full after %d values, want %d at least", room, least)
	}
	taken := 0
	for i := range 20 * room {
		key := fmt.Sprint("once ", i)
		if use(key); c.get(key) != nil {
			taken++
		}
	}
	if taken > room { // the shards fill up one after the other
		t.Errorf("%d of %d values that are used once were taken; the cache has room for %d", taken, 20*room, room)
	}
	misses := 0
	for range 10 {
		for i := range room / 4 {
			if !use(fmt.Sprint("again ", i)) {
				misses++
			}
		}
	}
	if want := room; misses > want {
		t.Errorf("%d values, ten times each: %d misses, want at most %d", room/4, misses, want)
	}
	if n, bytes := c.Count(); bytes > limit+limit/10 {
		t.Errorf("%d values take %d bytes of %d", n, bytes, limit)
	}
}
