package redisstore

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// page is how many sessions a listing reads at a time.
const page = 100

// List implements [store.Lister]. It finds the sessions of an owner by the index, on a single
// server in one round trip for each hundred. It finds all sessions, and an owner's if the
// index may not be whole, by SCAN on each primary, a page at a time. It skips values under the
// prefix that are no sessions.
//
// If the servers change while it lists all sessions, by a failover or by slots that move, it
// could miss some. Then it ends with an error that says so.
func (s *Store) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		one := func(r store.Record) bool { return yield(r, nil) }
		err := s.ready(ctx)
		switch {
		case err != nil:
		case owner != "":
			err = s.listOwner(ctx, owner, one)
		default:
			err = s.listAll(ctx, one)
		}
		if err != nil {
			yield(store.Record{}, s.wrap(ctx, "list", err))
		}
	}
}

func (s *Store) listAll(ctx context.Context, yield func(store.Record) bool) error {
	return s.eachRecord(ctx, func(records []store.Record) (bool, error) {
		for _, r := range records {
			if err := s.ready(ctx); err != nil {
				return false, err
			}
			if !yield(r) {
				return false, nil
			}
		}
		return true, nil
	})
}

// eachRecord calls fn with all sessions, in pages, until it returns false.
func (s *Store) eachRecord(ctx context.Context, fn func([]store.Record) (more bool, err error)) error {
	var seen window
	return s.scan(ctx, s.config.Prefix, "string", func(keys []string) (more bool, err error) {
		entries := make([]entry, 0, page)
		for chunk := range slices.Chunk(keys, page) {
			entries = entries[:0]
			for _, key := range chunk {
				if !isOwn(s.config.Prefix, key) && seen.add(key) {
					entries = append(entries, entry{id: key[len(s.config.Prefix):]})
				}
			}
			all, err := s.records(ctx, entries, nil)
			if err != nil {
				return false, err
			}
			records := make([]store.Record, 0, len(all))
			for _, l := range all {
				if l.err == nil {
					records = append(records, l.record)
				}
			}
			if more, err := fn(records); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	})
}

// scan calls fn with the keys of the type that begin with the prefix, in pages, until it
// returns false. A key may come again.
func (s *Store) scan(ctx context.Context, prefix, kind string, fn func(keys []string) (more bool, err error)) error {
	nodes, err := s.topology.primaries(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if more, err := s.scanNode(ctx, n.client, prefix, kind, fn); err != nil || !more {
			return err
		}
	}
	return s.topology.unchanged(ctx, nodes)
}

func (s *Store) scanNode(ctx context.Context, c rueidis.Client, prefix, kind string, fn func(keys []string) (bool, error)) (more bool, err error) {
	var server identity
	b := c.B()
	for cursor := uint64(0); ; {
		answers := s.read(ctx, c, rueidis.Commands{
			pinned(b.Arbitrary("SCAN", strconv.FormatUint(cursor, 10), "MATCH", pattern(prefix), "COUNT", number(page), "TYPE", kind).Build()),
			pinned(b.Arbitrary("INFO", "server").Build()),
		})
		e, err := answers[0].AsScanEntry()
		if err != nil {
			return false, err
		}
		if err := server.same(answers[1]); err != nil {
			return false, err
		}
		if more, err := fn(e.Elements); err != nil || !more {
			return false, err
		}
		if err := s.ready(ctx); err != nil {
			return false, err
		}
		if cursor = e.Cursor; cursor == 0 {
			return true, nil
		}
	}
}

// pattern returns the pattern of the keys that begin with the prefix.
func pattern(prefix string) string {
	b := make([]byte, 0, len(prefix)+8)
	for i := range len(prefix) {
		switch c := prefix[i]; c {
		case '*', '?', '[', ']', '^', '-', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '*'))
}

// window remembers the last keys that a SCAN returned, to drop those that come again.
//
// The server visits the buckets of its hash table in the order of their reversed bits. In this
// order a table that grows returns no key twice. One that shrinks repeats only the current
// bucket, which holds keys that the larger table has just returned. So it is enough to
// remember the last keys, as many as the table has shrunk by. 65,536 is enough for a table of
// 262,144 keys that shrinks to the smallest size during the listing.
//
// It keeps hashes with a seed of its own: about 2 MB at most. Among a million keys the chance
// that two have the same hash is 1 in 280 million.
type window struct {
	seed maphash.Seed
	set  map[uint64]struct{}
	last []uint64
	next int
}

const windowSize = 1 << 16

// add reports whether the key is new.
func (w *window) add(key string) bool {
	if w.set == nil {
		w.seed, w.set = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	h := maphash.String(w.seed, key)
	if _, ok := w.set[h]; ok {
		return false
	}
	w.set[h] = struct{}{}
	if len(w.last) < windowSize {
		w.last = append(w.last, h)
		return true
	}
	delete(w.set, w.last[w.next])
	w.last[w.next] = h
	w.next = (w.next + 1) % windowSize
	return true
}

// identity is the process that answers. Another process has its hash tables in another order,
// so a cursor would skip keys there.
type identity struct{ run string }

var errOther = errors.New("another server has taken over meanwhile, so that some sessions could be missed: list again")

// same returns an error if another process answers INFO than before. It cannot know that if the
// user may not call INFO.
func (i *identity) same(info rueidis.RedisResult) error {
	text, err := info.ToString()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return nil
	} else if err != nil {
		return err
	}
	run := field(text, "run_id")
	if i.run != "" && run != i.run {
		return errOther
	}
	i.run = run
	return nil
}
