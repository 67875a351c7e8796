package document

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	cacheBytes    = 12 << 20 // of one manager, as documentSize counts them
	cacheMaxBytes = 16 << 10 // larger documents are decoded each time
	cacheShards   = 16       // a power of two, as the next two are
	cacheSets     = 128      // of a shard
	cacheWays     = 8        // documents of a set
)

// documentCache keeps decoded documents: a version is decoded once, not once a
// request. The text is compared on every hit: whatever the store's versions are worth,
// a cached value is the stored one. A hit takes no lock.
//
// What it keeps is bounded in bytes, and goes when the session ends. Of those that
// are in the way of a new one, one goes that was not used since they were last looked
// at (CLOCK).
type documentCache[T any] struct {
	shards *[cacheShards]cacheShard[T]
	seed   maphash.Seed
}

type cacheShard[T any] struct {
	sets  [cacheSets]cacheSet[T]
	mu    sync.Mutex // of changes
	bytes int
	hand  int // the set at which room is made next
}

type cacheSet[T any] struct {
	tags [cacheWays]atomic.Uint32 // of what is in the ways, so that a hit looks at one document alone
	ways [cacheWays]atomic.Pointer[Document[T]]
}

func newDocumentCache[T any]() documentCache[T] {
	return documentCache[T]{new([cacheShards]cacheShard[T]), maphash.MakeSeed()}
}

// documentSize is about what a decoded document takes: its text, the value, and the
// encoding of that.
func documentSize(data []byte) int { return 512 + 3*len(data) }

func (c *documentCache[T]) at(key string) (*cacheShard[T], *cacheSet[T], uint32) {
	h := maphash.String(c.seed, key)
	s := &c.shards[h%cacheShards]
	return s, &s.sets[h/cacheShards%cacheSets], uint32(h>>32) | 1
}

func (c *documentCache[T]) get(key string, data []byte) *Document[T] {
	_, set, tag := c.at(key)
	for i := range set.tags {
		if set.tags[i].Load() != tag {
			continue
		}
		d := set.ways[i].Load()
		if d == nil || d.key != key || !bytes.Equal(d.Data, data) {
			continue
		}
		if !d.used.Load() { // else the line would go from core to core
			d.used.Store(true)
		}
		return d
	}
	return nil
}

func (c *documentCache[T]) put(d *Document[T]) {
	s, set, tag := c.at(d.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(set, tag, d.key)
	if len(d.Data) > cacheMaxBytes {
		return
	}
	way := -1
	for i := range set.ways {
		if set.ways[i].Load() == nil {
			way = i
			break
		}
	}
	if way < 0 {
		way = s.makeRoom(set)
	}
	set.tags[way].Store(tag)
	set.ways[way].Store(d)
	for s.bytes += documentSize(d.Data); s.bytes > cacheBytes/cacheShards; {
		s.hand = (s.hand + 1) % cacheSets
		s.sweep(&s.sets[s.hand], d)
	}
}

// drop forgets the document of a key: its session has ended.
func (c *documentCache[T]) drop(key string) {
	s, set, tag := c.at(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(set, tag, key)
}

func (s *cacheShard[T]) drop(set *cacheSet[T], tag uint32, key string) {
	for i := range set.tags {
		if set.tags[i].Load() != tag {
			continue
		}
		if d := set.ways[i].Load(); d != nil && d.key == key {
			s.clear(set, i)
		}
	}
}

func (s *cacheShard[T]) clear(set *cacheSet[T], way int) {
	s.bytes -= documentSize(set.ways[way].Load().Data)
	set.tags[way].Store(0)
	set.ways[way].Store(nil)
}

// Keep takes a document into the cache: a version that was just stored.
func (c *Codec[T]) Keep(d *Document[T]) { c.cache.put(d) }

// Forget drops a session that has ended.
func (c *Codec[T]) Forget(key string) { c.cache.drop(key) }

// Cached counts the documents in the cache. It is for tests.
func (c *Codec[T]) Cached() (n int) {
	for i := range c.cache.shards {
		for j := range c.cache.shards[i].sets {
			for k := range c.cache.shards[i].sets[j].ways {
				if c.cache.shards[i].sets[j].ways[k].Load() != nil {
					n++
				}
			}
		}
	}
	return n
}

// makeRoom empties a way of a full set.
func (s *cacheShard[T]) makeRoom(set *cacheSet[T]) int {
	for {
		for i := range set.ways {
			if !set.ways[i].Load().used.Swap(false) {
				s.clear(set, i)
				return i
			}
		}
	}
}

// sweep empties the ways of a set that were not used since it was last swept.
func (s *cacheShard[T]) sweep(set *cacheSet[T], keep *Document[T]) {
	for i := range set.ways {
		if d := set.ways[i].Load(); d != nil && d != keep && !d.used.Swap(false) {
			s.clear(set, i)
		}
	}
}
