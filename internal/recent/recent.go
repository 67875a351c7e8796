// Package recent keeps what was used recently, bounded in bytes. A look-up takes no lock,
// and the tables grow with what is kept, so that an empty cache costs nearly nothing.
package recent

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	shardCount = 16 // a power of two
	ways       = 8  // of a set
	minSets    = 1
	dropCounts = 32                                 // a power of two
	setBytes   = int(unsafe.Sizeof(set{})) + 4*ways // with what Wants remembers

	// maxShare is the part of a shard that one value may fill.
	maxShare = 4
)

// Entry is what a cache keeps of a value, which it is a part of.
type Entry struct {
	Key   string
	Value any // a pointer
}

// Cache keeps values that are found by the hash of a key and a comparison. If it is full, it
// drops a value that was not used since it last looked (CLOCK). With [Cache.Wants] a value that is
// used once, among more values than the cache has room for, takes no other's place.
type Cache struct {
	shards *[shardCount]shard
	seed   maphash.Seed
	limit  atomic.Int64 // of a shard, in bytes

	// Evicted, if set, is called with each value that is dropped to make room. It may call
	// other caches.
	Evicted func(*Entry)
}

type shard struct {
	table atomic.Pointer[[]set]
	drops [dropCounts]atomic.Uint32 // how often Drop was called, by hash
	mu    sync.Mutex                // of changes
	bytes int
	count int
	hand  int // the set at which room is made next

	full  atomic.Bool
	asked atomic.Pointer[[]atomic.Uint32] // the tags that Wants was asked for last, each in its place; nil before the shard was full
	_     [64]byte                        // two cores that use neighbors do not share a line
}

// set is where a value may be. The way of a value has a tag of its hash, so that a look-up
// compares few values. It fills two cache lines: a look-up reads both, and no others of the table.
type set struct {
	tags  [ways]atomic.Uint32
	used  atomic.Uint32  // a bit a way
	sizes [ways][3]uint8 // see size; guarded by the shard's mu
	_     [4]uint8
	ways  [ways]atomic.Pointer[Entry]
}

// maxSize is the largest size for which a set has room.
const maxSize = 1<<24 - 1

func (s *set) size(way int) int {
	n := &s.sizes[way]
	return int(n[0]) | int(n[1])<<8 | int(n[2])<<16
}

func (s *set) setSize(way, n int) {
	s.sizes[way] = [3]uint8{uint8(n), uint8(n >> 8), uint8(n >> 16)}
}

// New returns a cache for about limit bytes, its tables included. With a limit of zero or
// less it keeps nothing.
func New(limit int) *Cache {
	c := &Cache{shards: new([shardCount]shard), seed: maphash.MakeSeed()}
	c.limit.Store(int64(max(limit, 0) / shardCount))
	return c
}

// SetLimit changes the limit. If it is lower than before, the cache is empty afterwards.
func (c *Cache) SetLimit(limit int) {
	of := int64(max(limit, 0) / shardCount)
	if c.limit.Swap(of) <= of {
		return
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.table.Store(nil)
		s.bytes, s.count, s.hand = 0, 0, 0
		s.full.Store(false)
		s.asked.Store(nil)
		s.mu.Unlock()
	}
}

// Hash is the hash of a key in one cache.
type Hash uint64

// Hash returns the hash of a key.
func (c *Cache) Hash(key string) Hash { return Hash(maphash.String(c.seed, key)) }

func (c *Cache) shard(h Hash) *shard { return &c.shards[h%shardCount] }

func (h Hash) tag() uint32 { return uint32(h>>32) | 1 }

// at returns the set of a tag in a table whose length is a power of two.
func at(table []set, tag uint32) *set { return &table[int(tag>>1)&(len(table)-1)] }

// Get returns the value of a hash for which is reports true, nil if there is none.
func (c *Cache) Get(h Hash, is func(*Entry) bool) *Entry {
	table := c.shard(h).table.Load()
	if table == nil {
		return nil
	}
	tag := h.tag()
	set := at(*table, tag)
	for i := range set.tags {
		if set.tags[i].Load() != tag {
			continue
		}
		if v := set.ways[i].Load(); v != nil && is(v) {
			if set.used.Load()>>i&1 == 0 { // else the line would go from core to core
				set.used.Or(1 << i)
			}
			return v
		}
	}
	return nil
}

// Drops changes with each Drop of the hash, and with that of few others. Whoever makes a value reads it before, for Put.
func (c *Cache) Drops(h Hash) uint32 { return c.shard(h).dropped(h).Load() }

func (s *shard) dropped(h Hash) *atomic.Uint32 { return &s.drops[h>>8%dropCounts] }

// Wants reports whether a value that was not found is worth a Put: if there is room, or if Wants
// was asked for it before and for few others since.
func (c *Cache) Wants(h Hash) bool {
	s := c.shard(h)
	asked := s.asked.Load()
	if !s.full.Load() || asked == nil {
		return true
	}
	tag := h.tag()
	place := &(*asked)[int(tag>>1)&(len(*asked)-1)]
	if place.Load() == tag {
		return true
	}
	place.Store(tag)
	return false
}

// Full reports whether a Put of the hash would take another value's place.
func (c *Cache) Full(h Hash) bool { return c.shard(h).full.Load() }

// Put keeps v, which takes size bytes, in place of the value for which is reports true. It
// keeps nothing if Drop was called since drops was read: v may be what was dropped.
func (c *Cache) Put(h Hash, v *Entry, size int, drops uint32, is func(*Entry) bool) {
	s, tag := c.shard(h), h.tag()
	var gone []*Entry
	s.mu.Lock()
	s.dropTag(tag, is)
	if limit := int(c.limit.Load()); size <= min(limit/maxShare, maxSize) && s.dropped(h).Load() == drops {
		gone = s.put(tag, v, size, limit)
	}
	s.mu.Unlock()
	c.evict(gone)
}

// Drop drops the values of a hash for which is reports true.
func (c *Cache) Drop(h Hash, is func(*Entry) bool) {
	s := c.shard(h)
	var gone []*Entry
	s.mu.Lock()
	s.dropped(h).Add(1)
	s.dropTag(h.tag(), is)
	if table := s.table.Load(); table != nil && len(*table) > minSets && s.count < len(*table)*ways/16 {
		gone = s.resize(len(*table) / 2)
	}
	if s.full.Load() {
		s.fill(int(c.limit.Load()))
	}
	s.mu.Unlock()
	c.evict(gone)
}

func (c *Cache) evict(gone []*Entry) {
	if c.Evicted != nil {
		for _, v := range gone {
			c.Evicted(v)
		}
	}
}

// Count returns how many values are kept, and how many bytes they take with the tables.
func (c *Cache) Count() (values, bytes int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		values, bytes = values+s.count, bytes+s.bytes
		s.mu.Unlock()
	}
	return values, bytes
}

func (s *shard) dropTag(tag uint32, is func(*Entry) bool) {
	table := s.table.Load()
	if table == nil {
		return
	}
	set := at(*table, tag)
	for i := range set.tags {
		if set.tags[i].Load() != tag {
			continue
		}
		if v := set.ways[i].Load(); v != nil && is(v) {
			s.clear(set, i)
		}
	}
}

func (s *shard) clear(set *set, way int) *Entry {
	s.bytes -= set.size(way)
	s.count--
	set.tags[way].Store(0)
	set.used.And(^uint32(1 << way))
	return set.ways[way].Swap(nil)
}

// put returns what it has dropped to make room.
func (s *shard) put(tag uint32, v *Entry, size, limit int) (gone []*Entry) {
	if s.table.Load() == nil {
		s.resize(minSets)
	}
	table := *s.table.Load()
	set := at(table, tag)
	way := set.free()
	for way < 0 && s.count >= len(table)*ways*3/8 && s.bytes+len(table)*setBytes <= limit {
		s.resize(2 * len(table))
		table = *s.table.Load()
		set = at(table, tag)
		way = set.free()
	}
	if way < 0 {
		way = set.idle(s.count)
		gone = append(gone, s.clear(set, way))
	}
	set.setSize(way, size)
	set.tags[way].Store(tag)
	set.ways[way].Store(v)
	s.count++
	for s.bytes += size; s.bytes > limit && s.count > 1; {
		s.hand = (s.hand + 1) & (len(table) - 1)
		gone = s.sweep(&table[s.hand], v, gone)
	}
	s.fill(limit)
	return gone
}

// fill records whether the shard is full: in bytes, or because its table is as large as it may be
// and many sets have no room.
func (s *shard) fill(limit int) {
	table := *s.table.Load()
	full := s.bytes > limit-limit/128 || s.bytes+len(table)*setBytes > limit && s.count >= len(table)*ways*3/4
	if full == s.full.Load() {
		return
	}
	if s.asked.Load() == nil {
		asked := make([]atomic.Uint32, len(table)*ways)
		s.asked.Store(&asked)
	}
	s.full.Store(full)
}

// free returns a way that is empty, -1 if there is none.
func (s *set) free() int {
	for i := range s.ways {
		if s.ways[i].Load() == nil {
			return i
		}
	}
	return -1
}

// idle returns a way of a full set that was not used since all of them were; then any.
func (s *set) idle(any int) int {
	used := s.used.Load()
	if used == 1<<ways-1 {
		s.used.Store(0)
		return any % ways
	}
	return bits.TrailingZeros32(^used)
}

// sweep drops what a set has and was not used since it was last swept.
func (s *shard) sweep(set *set, keep *Entry, gone []*Entry) []*Entry {
	used := set.used.Swap(0)
	for i := range set.ways {
		if v := set.ways[i].Load(); v != nil && v != keep && used>>i&1 == 0 {
			gone = append(gone, s.clear(set, i))
		}
	}
	return gone
}

// resize moves the values to a table of n sets. A look-up that goes on in the old table
// finds what was there. What has no room in a table that shrinks is gone.
func (s *shard) resize(n int) (gone []*Entry) {
	next := make([]set, n)
	s.bytes += n * setBytes
	if old := s.table.Load(); old != nil {
		s.bytes -= len(*old) * setBytes
		for i := range *old {
			from := &(*old)[i]
			for j := range from.ways {
				v := from.ways[j].Load()
				if v == nil {
					continue
				}
				tag := from.tags[j].Load()
				to := at(next, tag)
				way := to.free()
				if way < 0 {
					gone = append(gone, s.clear(from, j))
					continue
				}
				to.setSize(way, from.size(j))
				to.tags[way].Store(tag)
				to.ways[way].Store(v)
				to.used.Or(from.used.Load() >> j & 1 << way)
			}
		}
	}
	s.full.Store(false)
	s.asked.Store(nil)
	s.hand = 0
	s.table.Store(&next)
	return gone
}
