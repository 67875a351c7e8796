package memstore

import (
	"context"
	"math"
	"runtime"

	"github.com/nestsession/session/store"
)

// makeRoom removes one session to make room for e: an expired one, or else, if the store
// evicts, the least recently used one other than e. The caller must not hold a lock. If
// there is no error, the caller tries to write again.
func (s *Store) makeRoom(ctx context.Context, e *encoded, now int64) error {
	fits := e.size() <= s.limits.maxBytes
	switch {
	case fits && s.removeOne(&e.key, now, never):
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

// removeOne removes an expired session, or else, if the store evicts, the least recently used
// one other than k, if that was used before the given time.
func (s *Store) removeOne(k *key, now, before int64) bool {
	own := s.shardOf(k)
	ownOldest := int64(math.MinInt64) // what own's hint would be without k, once that is known
	for !s.closed.Load() {
		sh, expired, oldest, others := s.candidate(own, ownOldest, now)
		if sh == nil || !expired && oldest >= before {
			return false
		}
		removed, oldest := sh.evict(k, now, expired, min(others, before))
		if removed {
			return true
		}
		// Other calls were faster, or another shard comes first. The hint is correct now.
		if sh == own && !expired {
			ownOldest = oldest
		}
	}
	return false
}

// candidate is a shard that holds an expired session, or else the one with the least recently
// used session, or nil. oldest is when that was used, and others when one of another shard was
// used the longest ago. What it reads are lower bounds: the shard may have to correct
// its own.
func (s *Store) candidate(own *shard, ownOldest, now int64) (best *shard, expired bool, oldest, others int64) {
	oldest, others = never, never
	for i := range s.hints {
		h, sh := &s.hints[i], &s.shards[i]
		if h.due.Load() <= now {
			return sh, true, never, never
		}
		if !s.limits.evicts {
			continue
		}
		o := h.oldest.Load()
		if sh == own {
			o = max(o, ownOldest)
		}
		switch {
		case o < oldest:
			best, oldest, others = sh, o, oldest
		case o < others:
			others = o
		}
	}
	return best, false, oldest, others
}

// evict removes an expired session of the shard or, unless onlyExpired is set, the least
// recently used one other than except, if it was used no later than others. It returns
// when that one was used; never if there is none.
func (sh *shard) evict(except *key, now int64, onlyExpired bool, others int64) (removed bool, oldest int64) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return false, never
	}
	defer sh.tidy()
	if slot := sh.firstDue(now); slot != none {
		v := sh.view(slot)
		sh.end(slot, &v)
		sh.store.limits.expired.Add(1)
		return true, 0
	}
	if onlyExpired {
		return false, 0
	}
	own, _ := sh.find(except)
	slot, oldest := sh.slots.leastUsed(own)
	hint := oldest
	if own != none {
		hint = min(hint, sh.slots.used(own))
	}
	sh.hints.oldest.Store(hint)
	if slot == none || oldest > others {
		return false, oldest
	}
	v := sh.view(slot)
	if j := sh.store.journal; j != nil {
		_ = j.delete(v.id()) // if it is in no file, a crash lets it live on
	}
	sh.end(slot, &v)
	sh.store.limits.evicted.Add(1)
	return true, 0
}

// firstDue returns an expired record, or none, and corrects the hint.
func (sh *shard) firstDue(now int64) int32 {
	if sh.hints.due.Load() > now {
		return none
	}
	slot, due := sh.slots.firstDue()
	sh.hints.due.Store(due)
	if due > now {
		return none
	}
	return slot
}
