package memstore

import (
	"context"
	"hash/maphash"
	"iter"

	"github.com/nestsession/session/store"
)

// page is how many records List copies while it holds a shard's lock.
const page = 64

// List implements [store.Lister]. It holds one page of records at a time and no
// lock while the loop's body runs. To list a session does not count as using it, and does
// not protect it from eviction.
func (s *Store) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var buf [page]store.Record
		for i := range s.shards {
			if !s.shards[i].list(ctx, owner, buf[:0], yield) {
				return
			}
		}
	}
}

// list yields the shard's live records of the owner, or all. It returns false if no other
// shard is wanted.
func (sh *shard) list(ctx context.Context, owner string, buf []store.Record, yield func(store.Record, error) bool) bool {
	var cur cursor
	defer sh.leave(&cur)
	for !cur.done {
		err := ctx.Err()
		if err == nil {
			buf, err = sh.page(buf[:0], owner, &cur, sh.store.clock.now())
		}
		if err != nil {
			yield(store.Record{}, err)
			return false
		}
		for _, r := range buf {
			if !yield(r, nil) {
				return false
			}
		}
	}
	return true
}

// cursor is the position of an iteration in a shard.
type cursor struct {
	begun bool
	owned []int32 // the slots of the owner's records when the iteration began
	next  int     // the next slot, or the place in owned of the next
	done  bool
}

// page appends the next live records to buf, which has room for them.
func (sh *shard) page(buf []store.Record, owner string, cur *cursor, now int64) ([]store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return nil, store.ErrClosed
	}
	if !cur.begun {
		cur.begun = true
		sh.iterating++ // from here on no record gets another slot
		if owner != "" {
			cur.owned = sh.ownedBy(owner)
		}
	}
	all := int(sh.slots.n)
	if owner != "" {
		all = len(cur.owned)
	}
	end := min(cur.next+page, all)
	for ; cur.next < end; cur.next++ {
		slot := int32(cur.next)
		if owner != "" {
			slot = cur.owned[cur.next]
		}
		if slot >= sh.slots.n || sh.slots.version(slot) == 0 || sh.slots.expires(slot) <= now {
			continue
		}
		if v := sh.view(slot); owner == "" || v.ownedBy(owner) {
			buf = append(buf, sh.record(slot, &v, ""))
		}
	}
	cur.done = cur.next >= all
	return buf, nil
}

// leave ends an iteration.
func (sh *shard) leave(cur *cursor) {
	if !cur.begun {
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.iterating--
}

// ownedBy returns the slots of the owner's records.
func (sh *shard) ownedBy(owner string) (slots []int32) {
	for p := sh.owners.probe(maphash.String(sh.store.seed, owner)); ; {
		slot := sh.owners.next(&p)
		if slot == none {
			return slots
		}
		if v := sh.view(slot); v.ownedBy(owner) {
			slots = append(slots, slot)
		}
	}
}
