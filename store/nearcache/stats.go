package nearcache

import "sync/atomic"

// Stats tells how a cache does. The counts go from when it was made.
type Stats struct {
	Entries int   // records that are kept
	Bytes   int64 // what they take, as Config.MaxBytes counts it

	Hits    uint64 // reads that were answered from memory
	Misses  uint64 // reads that asked the store
	Dropped uint64 // records that a change elsewhere has ended here
	Evicted uint64 // records that made room for others
}

type counts struct{ hits, misses, dropped, evicted atomic.Uint64 }

// Stats counts what is kept. The parts are read one after another.
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
