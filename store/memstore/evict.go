package memstore

import (
	"context"
	"runtime"

	"github.com/nestsession/session/store"
)

// makeRoom removes one session for the sake of r: one that has expired, or else,
// if that is the policy, the least recently used of all but r's own. It is called
// without any lock. Without an error it is worth to try again.
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
		// There is somebody to evict, but his record is being put in at this moment:
		// the room is taken, and no hint tells of it yet.
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
		// Either others were faster and its hints are now right, or it holds nothing
		// but r.
		if sh == own {
			skip = own
		}
	}
}

// candidate is a shard that holds an expired session, or else the one with the
// least recently used, or nil. The hints that it reads may be out of date.
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

// evict removes the shard's expired session or, unless it is to be an expired
// one, its least recently used; never the one that room is made for.
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
