// Package digest finds ids by their digests, for watchers of a store whose events have a
// [store.Event.Digest].
package digest

import (
	"iter"

	"github.com/nestsession/session/store"
)

// Index finds ids by their digests. It computes no digests before the first Find, since most
// stores send events with ids. The zero value is empty; the caller's lock guards it.
type Index struct {
	ids map[store.Digest]string // nil before the first Find
}

// Add adds an id.
func (x *Index) Add(id string) {
	if x.ids != nil {
		x.ids[store.DigestOf(id)] = id
	}
}

// Remove removes an id.
func (x *Index) Remove(id string) {
	if x.ids != nil {
		delete(x.ids, store.DigestOf(id))
	}
}

// Clear removes all ids.
func (x *Index) Clear() { clear(x.ids) }

// Find returns the id with that digest, "" if there is none. The first call adds all.
func (x *Index) Find(d store.Digest, all iter.Seq[string]) string {
	if x.ids == nil {
		x.ids = map[store.Digest]string{}
		for id := range all {
			x.Add(id)
		}
	}
	return x.ids[d]
}
