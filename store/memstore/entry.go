package memstore

import (
	"time"

	"github.com/nestsession/session/store"
)

// entry is a record and its places in the shard's lists. It is small, because a store may
// hold as many expired records as live ones.
type entry struct {
	id      string
	data    []byte
	more    *more
	expires int64 // as an instant
	version store.Version
	used    int64 // when it was last loaded, written or touched
	slot    int32 // its number in the shard, by which the lists identify it
}

// more holds the fields that most records do not need.
type more struct {
	owner      string
	next, prev *entry    // the owner's other entries, in the order in which they were added
	seq        uint64    // its place in that order
	far        time.Time // an expiry outside the range of instants; else zero
}

func newEntry(r store.Record, now int64) *entry {
	e := &entry{id: r.ID, data: r.Data, version: r.Version, used: now}
	e.setOwner(r.Owner)
	e.setExpires(r.Expires)
	return e
}

func (e *entry) record() store.Record {
	r := store.Record{ID: e.id, Owner: e.owner(), Data: e.data, Version: e.version}
	switch {
	case e.expires == never:
	case e.more != nil && !e.more.far.IsZero():
		r.Expires = e.more.far
	default:
		r.Expires = time.Unix(0, e.expires)
	}
	return r
}

func (e *entry) owner() string {
	if e.more == nil {
		return ""
	}
	return e.more.owner
}

// setOwner must not be called for an entry that is in a chain.
func (e *entry) setOwner(owner string) {
	switch {
	case owner != "" && e.more == nil:
		e.more = &more{owner: owner}
	case e.more != nil:
		e.more.owner = owner
		e.trim()
	}
}

func (e *entry) setExpires(expires time.Time) {
	e.expires = deadline(expires)
	far := time.Time{}
	if e.expires != never && !time.Unix(0, e.expires).Equal(expires) {
		far = expires
	}
	switch {
	case !far.IsZero() && e.more == nil:
		e.more = &more{far: far}
	case e.more != nil:
		e.more.far = far
		e.trim()
	}
}

// trim frees more if all its fields are zero.
func (e *entry) trim() {
	if e.more.owner == "" && e.more.far.IsZero() {
		e.more = nil
	}
}

func (e *entry) size() int64 { return sizeOf(e.id, e.owner(), e.data) }
