package memstore

import (
	"context"
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
			for cur := (cursor{}); !cur.done; {
				if err := ctx.Err(); err != nil {
					yield(store.Record{}, err)
					return
				}
				records, err := s.shards[i].page(buf[:0], owner, &cur, s.clock.now())
				if err != nil {
					yield(store.Record{}, err)
					return
				}
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	}
}

// cursor is the position of an iteration in a shard.
type cursor struct {
	slot int    // of all sessions: the next slot
	last *entry // of an owner's sessions: the entry at which it stopped
	seq  uint64 // and that entry's number
	done bool
}

// page appends the next live records to buf, which has room for them.
func (sh *shard) page(buf []store.Record, owner string, cur *cursor, now int64) ([]store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return nil, store.ErrClosed
	}
	if owner == "" {
		end := min(cur.slot+page, len(sh.slots.items))
		for ; cur.slot < end; cur.slot++ {
			if e := sh.slots.items[cur.slot]; e != nil && e.expires > now {
				buf = append(buf, e.record())
			}
		}
		cur.done = cur.slot >= len(sh.slots.items)
		return buf, nil
	}
	e := sh.ownedAfter(owner, cur.last, cur.seq)
	for range page {
		if e == nil {
			cur.done = true
			break
		}
		if e.expires > now {
			buf = append(buf, e.record())
		}
		cur.last, cur.seq = e, e.more.seq
		e = e.more.next
	}
	return buf, nil
}
