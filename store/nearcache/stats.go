package nearcache

import "sync/atomic"

// Stats are the counts of a cache since it was made.
type Stats struct {
	Entries int   // records in the cache
	Bytes   int64 // their memory, as Config.MaxBytes counts it

	Hits    uint64 // loads from memory
	Misses  uint64 // loads from the store
	Dropped uint64 // records dropped because another node changed them
	Evicted uint64 // records dropped to make room for others
}

type counts struct{ hits, misses, dropped, evicted atomic.Uint64 }

// Stats returns the counts. The shards are read one after another, not at one moment.
func (n *Cache) Stats() Stats {
	s := Stats{Hits: n.counts.hits.Load(), Misses: n.counts.misses.Load(), Dropped: n.counts.dropped.Load(), Evicted: n.counts.evicted.Load()}
	for i := range n.shards {
		sh := &n.shards[i]
		sh.mu.Lock()
		s.Entries += len(sh.entries)
		s.Bytes += sh.size
		sh.mu.Unlock()
	}
	return s
}
