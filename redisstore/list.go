package redisstore

import (
	"context"
	"iter"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/store"
)

// List implements [store.Lister]. Those of an owner are found by the index, on a single
// server in one round trip for each hundred; all, and an owner's if his index may not be
// whole, by SCAN on each primary, a page at a time. What is under the prefix and is no
// session is passed over.
//
// Where the servers change while all are listed, by a failover or by slots that
// move, some could be missed: then it ends with an error that says so.
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

// eachRecord calls fn with all sessions, in pages, until it wants no more.
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

// scan calls fn with the keys of the type that begin with the prefix, in pages,
// until it wants no more. A key may come again.
func (s *Store) scan(ctx context.Context, prefix, kind string, fn func(keys []string) (more bool, err error)) error {
	nodes := []node{{client: s.client}}
	if s.cluster {
		var err error
		if nodes, err = s.primaries(ctx); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if more, err := s.scanNode(ctx, n.client, prefix, kind, fn); err != nil || !more {
			return err
		}
	}
	if s.cluster {
		return s.unchanged(ctx, nodes)
	}
	return nil
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

// pattern matches what begins with the prefix.
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
