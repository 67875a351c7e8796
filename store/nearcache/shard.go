package nearcache

import (
	"maps"
	"sync"

	"github.com/nestsession/session/internal/digest"
	"github.com/nestsession/session/store"
)

// overhead is an estimate of the memory of an entry in addition to its texts.
const overhead = 256

// shard is a part of the cache under one lock.
type shard struct {
	mu      sync.Mutex
	entries map[string]*entry
	digests digest.Index // of the entries' ids
	ring    entry        // the entries; ring.next was read last, ring.prev is evicted first
	size    int64
	room    int64
	pending map[string]*pendingCall
	closed  bool
	counts  *counts
}

// entry is a record in the cache.
type entry struct {
	rec        store.Record
	read       int64 // the moment at which its load or write began
	prev, next *entry
}

func (e *entry) size() int64 {
	return overhead + int64(len(e.rec.ID)+len(e.rec.Owner)+len(e.rec.Data))
}

// pendingCall is a call to the store that has not returned. Changes of the record
// meanwhile decide whether its result may be kept.
type pendingCall struct {
	id      string
	seen    store.Version // the one version that was reported meanwhile
	discard bool          // there was another change, so the result may be out of date
	next    *pendingCall  // of the same id
}

// changed records that the record now has a version, 0 for an unknown one.
func (f *pendingCall) changed(v store.Version) {
	f.discard = f.discard || v == 0 || f.seen != 0 && f.seen != v
	f.seen = v
}

func (sh *shard) init(room int64, counts *counts) {
	sh.entries, sh.pending = map[string]*entry{}, map[string]*pendingCall{}
	sh.ring.prev, sh.ring.next = &sh.ring, &sh.ring
	sh.room, sh.counts = room, counts
}

// lookup finds a record that is not too old: it was read after since, or whole says that all
// changes have been reported. Otherwise the caller loads the record, and then calls endLoad.
func (sh *shard) lookup(id string, since int64, whole bool) (store.Record, bool, *pendingCall) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[id]; e != nil && (whole || e.read >= since) {
		sh.use(e)
		return e.rec, true, nil
	}
	return store.Record{}, false, sh.addPending(id)
}

// reload drops the record, which the caller then loads, like after lookup.
func (sh *shard) reload(id string) *pendingCall {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.remove(sh.entries[id])
	return sh.addPending(id)
}

// endLoad keeps the record that the store returned, unless it was changed meanwhile.
func (sh *shard) endLoad(f *pendingCall, rec store.Record, began int64, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.removePending(f)
	if !ok {
		// The record in the cache was too old to be served, and is older than this result. So may be
		// what other calls are about to return.
		sh.remove(sh.entries[f.id])
		sh.discardPending(f.id)
		return
	}
	sh.keep(f, rec, began)
}

// beginWrite is called before a write.
func (sh *shard) beginWrite(id string) *pendingCall {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.addPending(id)
}

// endWrite is called after a write. Records that were read before or during the write may
// be out of date.
func (sh *shard) endWrite(f *pendingCall, rec store.Record, began int64, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.removePending(f)
	sh.remove(sh.entries[f.id])
	sh.discardPending(f.id)
	if ok {
		sh.keep(f, rec, began)
	}
}

func (sh *shard) keep(f *pendingCall, rec store.Record, began int64) {
	old := sh.entries[f.id]
	for g := sh.pending[f.id]; g != nil; g = g.next {
		g.changed(rec.Version) // whether it is kept or not: the caller has seen it
	}
	if sh.closed || f.discard || f.seen != 0 && f.seen != rec.Version || rec.ID != f.id {
		// If two calls at the same time return different versions, it is not known which is
		// newer. Neither is kept, so that no reader sees the older after the newer.
		if old != nil && old.rec.Version != rec.Version {
			sh.remove(old)
		}
		return
	}
	sh.remove(old)
	e := &entry{rec: rec, read: began}
	if e.size() > sh.room {
		return
	}
	for sh.size+e.size() > sh.room {
		sh.remove(sh.ring.prev)
		sh.counts.evicted.Add(1)
	}
	sh.entries[f.id] = e
	sh.digests.Add(f.id)
	sh.size += e.size()
	sh.link(e)
}

// drop removes the record of an event, unless the cache has its new version.
func (sh *shard) drop(ev store.Event) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.dropID(ev.ID, ev)
}

// dropDigest is drop by the digest of the id, which may belong to another shard.
func (sh *shard) dropDigest(ev store.Event) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	id := sh.digests.Find(ev.Digest, maps.Keys(sh.entries))
	for pendingID := range sh.pending {
		if id == "" && ev.Concerns(pendingID) {
			id = pendingID
		}
	}
	sh.dropID(id, ev)
}

func (sh *shard) dropID(id string, ev store.Event) {
	if e := sh.entries[id]; e != nil && (ev.Ended || e.rec.Version != ev.Version) {
		sh.remove(e)
		sh.counts.dropped.Add(1)
	}
	for f := sh.pending[id]; f != nil; f = f.next {
		f.changed(ev.Version)
		f.discard = f.discard || ev.Ended
	}
}

// clear drops all records, since any of them may have changed.
func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	clear(sh.entries)
	sh.digests.Clear()
	sh.ring.prev, sh.ring.next = &sh.ring, &sh.ring
	sh.size = 0
	for id := range sh.pending {
		sh.discardPending(id)
	}
}

func (sh *shard) close() {
	sh.clear()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.closed = true
}

// addPending adds a call that is about to be made.
func (sh *shard) addPending(id string) *pendingCall {
	f := &pendingCall{id: id, next: sh.pending[id]}
	sh.pending[id] = f
	return f
}

// removePending removes a call that has returned.
func (sh *shard) removePending(f *pendingCall) {
	first := sh.pending[f.id]
	if first == f {
		if f.next == nil {
			delete(sh.pending, f.id)
			return
		}
		sh.pending[f.id] = f.next
		return
	}
	for p := first; p != nil; p = p.next {
		if p.next == f {
			p.next = f.next
			return
		}
	}
}

// discardPending prevents that the results of all pending calls for the id are kept.
func (sh *shard) discardPending(id string) {
	for f := sh.pending[id]; f != nil; f = f.next {
		f.discard = true
	}
}

// use makes e the last to be evicted.
func (sh *shard) use(e *entry) {
	if sh.ring.next != e {
		sh.unlink(e)
		sh.link(e)
	}
}

func (sh *shard) remove(e *entry) {
	if e == nil {
		return
	}
	delete(sh.entries, e.rec.ID)
	sh.digests.Remove(e.rec.ID)
	sh.size -= e.size()
	sh.unlink(e)
}

func (sh *shard) link(e *entry) {
	e.prev, e.next = &sh.ring, sh.ring.next
	e.prev.next, e.next.prev = e, e
}

func (sh *shard) unlink(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}
