package nearcache

import (
	"maps"
	"sync"

	"github.com/nestsession/session/internal/digest"
	"github.com/nestsession/session/store"
)

// overhead is about what an entry takes beside its texts.
const overhead = 256

// shard is a part of the cache under one lock.
type shard struct {
	mu      sync.Mutex
	entries map[string]*entry
	digests digest.Index // of the entries' ids
	ring    entry        // the entries; ring.next was read last, ring.prev goes first
	size    int64
	room    int64
	flights map[string]*flight
	closed  bool
	counts  *counts
}

// entry is a record that is kept.
type entry struct {
	rec        store.Record
	read       int64 // when the store was asked for it
	prev, next *entry
}

func (e *entry) size() int64 {
	return overhead + int64(len(e.rec.ID)+len(e.rec.Owner)+len(e.rec.Data))
}

// flight is a question to the store that is under way. What happens to the record
// meanwhile decides whether its answer may be kept.
type flight struct {
	id    string
	seen  store.Version // the one version that was told of meanwhile
	spoil bool          // something else happened
	next  *flight       // of the same id
}

// tell notes that the record has a version now, 0 for an unknown one.
func (f *flight) tell(v store.Version) {
	f.spoil = f.spoil || v == 0 || f.seen != 0 && f.seen != v
	f.seen = v
}

func (sh *shard) init(room int64, counts *counts) {
	sh.entries, sh.flights = map[string]*entry{}, map[string]*flight{}
	sh.ring.prev, sh.ring.next = &sh.ring, &sh.ring
	sh.room, sh.counts = room, counts
}

// lookup finds what is kept and not too old: read after since, or told of all changes.
// Otherwise the caller asks the store, and lets the answer land.
func (sh *shard) lookup(id string, since int64, whole bool) (store.Record, bool, *flight) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[id]; e != nil && (whole || e.read >= since) {
		sh.use(e)
		return e.rec, true, nil
	}
	return store.Record{}, false, sh.takeOff(id)
}

// retire drops what is kept, since the store is to be asked.
func (sh *shard) retire(id string) *flight {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.remove(sh.entries[id])
	return sh.takeOff(id)
}

// land keeps what the store has answered, unless the record has changed meanwhile: a
// fill that raced an invalidation never lands.
func (sh *shard) land(f *flight, rec store.Record, asked int64, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.arrive(f)
	if !ok {
		// What is kept was too old to be served, and is older than this answer.
		sh.remove(sh.entries[f.id])
		return
	}
	sh.keep(f, rec, asked)
}

// begin precedes a write.
func (sh *shard) begin(id string) *flight {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.takeOff(id)
}

// finish follows a write. What was read before it or while it was under way may be older.
func (sh *shard) finish(f *flight, rec store.Record, asked int64, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.arrive(f)
	sh.remove(sh.entries[f.id])
	sh.spoil(f.id)
	if ok {
		sh.keep(f, rec, asked)
	}
}

func (sh *shard) keep(f *flight, rec store.Record, asked int64) {
	old := sh.entries[f.id]
	if sh.closed || f.spoil || f.seen != 0 && f.seen != rec.Version || rec.ID != f.id {
		// If the answers of two questions at the same time differ, nobody knows which
		// is the newer: whoever asks next shall not see the older after the newer.
		if old != nil && old.rec.Version != rec.Version {
			sh.remove(old)
		}
		return
	}
	sh.remove(old)
	for g := sh.flights[f.id]; g != nil; g = g.next {
		g.tell(rec.Version)
	}
	e := &entry{rec: rec, read: asked}
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

// drop takes note that the record has changed, by the version that it has now if that
// is known.
func (sh *shard) drop(ev store.Event) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.dropID(ev.ID, ev)
}

// dropDigest does so by the digest of the id, which may be one of another shard.
func (sh *shard) dropDigest(ev store.Event) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	id := sh.digests.Find(ev.Digest, maps.Keys(sh.entries))
	for underway := range sh.flights {
		if id == "" && ev.Concerns(underway) {
			id = underway
		}
	}
	sh.dropID(id, ev)
}

func (sh *shard) dropID(id string, ev store.Event) {
	if e := sh.entries[id]; e != nil && (ev.Ended || e.rec.Version != ev.Version) {
		sh.remove(e)
		sh.counts.dropped.Add(1)
	}
	for f := sh.flights[id]; f != nil; f = f.next {
		f.tell(ev.Version)
		f.spoil = f.spoil || ev.Ended
	}
}

// clear drops everything, since any of it may have changed.
func (sh *shard) clear() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	clear(sh.entries)
	sh.digests.Clear()
	sh.ring.prev, sh.ring.next = &sh.ring, &sh.ring
	sh.size = 0
	for id := range sh.flights {
		sh.spoil(id)
	}
}

func (sh *shard) close() {
	sh.clear()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.closed = true
}

func (sh *shard) takeOff(id string) *flight {
	f := &flight{id: id, next: sh.flights[id]}
	sh.flights[id] = f
	return f
}

func (sh *shard) arrive(f *flight) {
	first := sh.flights[f.id]
	if first == f {
		if f.next == nil {
			delete(sh.flights, f.id)
			return
		}
		sh.flights[f.id] = f.next
		return
	}
	for p := first; p != nil; p = p.next {
		if p.next == f {
			p.next = f.next
			return
		}
	}
}

func (sh *shard) spoil(id string) {
	for f := sh.flights[id]; f != nil; f = f.next {
		f.spoil = true
	}
}

// use makes e the last to go.
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
