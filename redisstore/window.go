package redisstore

import (
	"errors"
	"hash/maphash"
	"iter"
	"strings"

	"github.com/redis/rueidis"
)

// window remembers the last keys that a SCAN gave, to tell those that come again.
//
// The server goes through the buckets of its hash table in an order, that of the
// bits of their numbers read backwards, in which a table that grows gives nothing
// twice, and one that shrinks only the bucket that it is at: what it gave from
// the larger table just before. So no more than the last keys have to be
// remembered, as many as the table has shrunk by. 65,536 is a table for 262,144
// keys that came down to the smallest there is while it was listed.
//
// It keeps hashes with a seed of its own: about 2 MB at most. Among a million keys
// the chance that two look the same is 1 in 280 million.
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

// identity is the process that answers. A cursor means nothing to another one,
// whose hash tables are in another order, and could pass over keys.
type identity struct{ run string }

var errOther = errors.New("another server has taken over meanwhile, so that some sessions could be missed: list again")

// same compares the process that answered INFO with the one before. Where that is
// not permitted it cannot be told.
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

// lines are those of an answer in text, which in RESP3 begins with its format.
func lines(text string) iter.Seq[string] {
	return strings.Lines(strings.TrimPrefix(text, "txt:"))
}

// field is the value of a line of INFO.
func field(info, name string) string {
	for line := range lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
