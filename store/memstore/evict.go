package memstore

import (
	"context"
	"runtime"

	"github.com/nestsession/session/store"
)

// makeRoom removes one session to make room for r: an expired one, or else, if the store
// evicts, the least recently used one other than r. The caller must not hold a lock. If
// there is no error, the caller tries to write again.
func (s *Store) makeRoom(ctx context.Context, r store.Record, now int64) error {
	fits := recordSize(r) <= s.limits.maxBytes
	switch {
	case fits && s.removeOne(r, now):
		return nil
	case s.closed.Load():
		return store.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case fits && s.limits.evicts:
		// There is a session to evict, but it is being inserted at this moment: it has
		// reserved its room, and its shard's hints do not show it yet.
		runtime.Gosched()
		return nil
	}
	s.limits.refused.Add(1)
	return store.ErrFull
}

func (s *Store) removeOne(r store.Record, now int64) bool {
	own := s.shard(r.ID)
	var skip *shard
	for {
		sh, expired := s.candidate(skip, now)
		if sh == nil {
			return false
		}
		if sh.evict(r.ID, now, expired) {
			return true
		}
		// Either other calls were faster and the shard's hints are now correct, or it holds
		// only r.
		if sh == own {
			skip = own
		}
	}
}

// candidate is a shard that holds an expired session, or else the one with the
// least recently used session, or nil. The hints that it reads may be out of date.
func (s *Store) candidate(skip *shard, now int64) (best *shard, expired bool) {
	oldest := int64(never)
	for i := range s.shards {
		sh := &s.shards[i]
		if sh == skip {
			continue
		}
		if sh.nextDue.Load() <= now {
			return sh, true
		}
		if o := sh.oldest.Load(); o < oldest {
			best, oldest = sh, o
		}
	}
	return best, false
}

// evict removes an expired session of the shard or, unless onlyExpired is set, the least
// recently used one. It never removes the session except.
func (sh *shard) evict(except string, now int64, onlyExpired bool) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	defer sh.publish()
	if sh.due.first() <= now {
		sh.end(sh.earliest())
		sh.store.limits.expired.Add(1)
		return true
	}
	slot := sh.lru.tail
	if slot != none && sh.slots.items[slot].id == except {
		slot = sh.lru.links[slot].newer
	}
	if slot == none || onlyExpired {
		return false
	}
	sh.end(sh.slots.items[slot])
	sh.store.limits.evicted.Add(1)
	return true
}
