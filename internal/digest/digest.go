// Package digest finds ids by their digests, for those who hear of records by
// [store.Event.Digest].
package digest

import (
	"iter"

	"github.com/nestsession/session/store"
)

// Index finds ids by their digests. It costs nothing until it is asked for the first
// time, since most stores send events with ids. The zero value is empty; the caller's
// lock guards it.
type Index struct {
	ids map[store.Digest]string // nil: not asked yet
}

// Add takes an id in.
func (x *Index) Add(id string) {
	if x.ids != nil {
		x.ids[store.DigestOf(id)] = id
	}
}

// Remove takes an id out.
func (x *Index) Remove(id string) {
	if x.ids != nil {
		delete(x.ids, store.DigestOf(id))
	}
}

// Clear takes all ids out.
func (x *Index) Clear() { clear(x.ids) }

// Find returns the id with that digest, "" if there is none. The first call takes in all.
func (x *Index) Find(d store.Digest, all iter.Seq[string]) string {
	if x.ids == nil {
		x.ids = map[store.Digest]string{}
		for id := range all {
			x.Add(id)
		}
	}
	return x.ids[d]
}
