package memstore

import (
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// errNoRoom says that the caller has to make room, without the lock, and write again.
var errNoRoom = errors.New("memstore: no room")

// keepTables is the most records for which a shard keeps its memory when it is empty.
const keepTables = 64

// versionBlock is how many versions a shard takes from the store at a time.
const versionBlock = 256

// shard is one part of the store under a lock of its own. Everything below mu is
// guarded by it. No code holds two shards' locks.
type shard struct {
	store *Store
	hints *hints

	mu        sync.Mutex
	ids       table
	owners    table
	slots     slots
	log       log
	heap      map[int32]*heaped
	far       map[int32]time.Time // expiries outside the range of instants
	version   store.Version       // the last that was used
	versions  store.Version       // the last of the block
	lastUse   int64               // when a record was last used, see useAt
	expiring  int                 // records that expire
	iterating int                 // iterations, for which slots keep their numbers
	closed    bool

	_ [64]byte // keeps the lock of the next shard out of this one's cache line
}

func (sh *shard) init(s *Store, h *hints) {
	sh.store, sh.hints = s, h
	sh.ids.arena, sh.owners.arena, sh.slots.arena, sh.log.arena = s.memory, s.memory, s.memory, s.memory
	sh.drop()
}

// missing returns the error for a slot that is none or has expired.
func (sh *shard) missing(slot int32) error {
	switch {
	case sh.closed:
		return store.ErrClosed
	case slot != none:
		return store.ErrExpired
	}
	return store.ErrNotFound
}

// find returns the record with the key, or none.
func (sh *shard) find(k *key) (int32, view) {
	for p := sh.ids.probe(k.hash); ; {
		slot := sh.ids.next(&p)
		if slot == none {
			return none, view{}
		}
		if v := sh.view(slot); v.is(k) {
			return slot, v
		}
	}
}

// findVersion returns the record with the key if it has the version, else none. No two records
// have one version, and the caller has read it under this key. So it compares no keys, and reads
// nothing of the log, which is cold memory where there are many records.
func (sh *shard) findVersion(k *key, have store.Version) int32 {
	if have == 0 {
		return none
	}
	for p := sh.ids.probe(k.hash); ; {
		if slot := sh.ids.next(&p); slot == none || sh.slots.version(slot) == have {
			return slot
		}
	}
}

// use marks the record as the most recently used.
func (sh *shard) use(slot int32, now int64) {
	if sh.store.limits.evicts {
		sh.slots.setUsed(slot, sh.useAt(now))
	}
}

// useAt returns the time of a use. It is later than that of the last one in this shard, so that
// their order is exact whatever the clock does.
func (sh *shard) useAt(now int64) int64 {
	sh.lastUse = min(max(sh.store.use(now), sh.lastUse+1), max48)
	return sh.lastUse
}

func (sh *shard) nextVersion() store.Version {
	if sh.version == sh.versions {
		sh.versions = store.Version(sh.store.versions.Add(versionBlock))
		sh.version = sh.versions - versionBlock
	}
	sh.version++
	return sh.version
}

func (sh *shard) load(k *key, have store.Version, now int64) (store.Record, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if slot := sh.findVersion(k, have); slot != none && !sh.closed && sh.slots.expires(slot) > now {
		sh.use(slot, now)
		return store.Record{ID: k.text, Version: have, Expires: sh.expires(slot)}, nil
	}
	slot, v := sh.find(k)
	if sh.closed || slot == none || sh.slots.expires(slot) <= now {
		err := sh.missing(slot)
		if err == store.ErrExpired {
			return sh.record(slot, &v, k.text), err
		}
		return store.Record{}, err
	}
	sh.use(slot, now)
	return sh.record(slot, &v, k.text), nil
}

func (sh *shard) create(e *encoded, now int64) (store.Version, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return 0, store.ErrClosed
	}
	sessions, size := int64(1), e.size()
	old, v := sh.find(&e.key)
	if old != none {
		if sh.slots.expires(old) > now {
			return 0, store.ErrExists
		}
		sessions, size = 0, size-v.size()
	}
	if sh.full(e) || !sh.store.limits.reserve(sessions, size) {
		return 0, errNoRoom
	}
	version, used := sh.nextVersion(), sh.useAt(now)
	if err := sh.store.journal.put(e, version, sh.store.usedAt(used)); err != nil {
		sh.store.limits.release(sessions, size)
		return 0, err
	}
	if old != none {
		sh.unlink(old, &v, e.key.hash)
		sh.store.limits.expired.Add(1)
		sh.store.feed.Send(store.Event{ID: e.key.text})
	}
	sh.insert(e, version, used)
	sh.tidy()
	return version, nil
}

// full reports whether e needs room in a log that has none.
func (sh *shard) full(e *encoded) bool { return e.log != nil && sh.log.full() }

func (sh *shard) update(e *encoded, have store.Version, now int64) (store.Version, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	slot, v := sh.find(&e.key)
	if sh.closed || slot == none || sh.slots.expires(slot) <= now {
		return 0, sh.missing(slot)
	}
	if sh.slots.version(slot) != have {
		return 0, store.ErrConflict
	}
	sh.use(slot, now) // if it finds no room, other sessions are evicted
	grows := e.size() - v.size()
	if sh.full(e) || !sh.store.limits.reserve(0, grows) {
		return 0, errNoRoom
	}
	version := sh.nextVersion()
	if err := sh.store.journal.put(e, version, sh.store.usedAt(sh.slots.used(slot))); err != nil {
		sh.store.limits.release(0, grows)
		return 0, err
	}
	if !v.ownedBy(e.owner) {
		sh.leaveOwner(slot, &v)
		sh.joinOwner(slot, e.owner)
	}
	sh.put(slot, &v, e)
	sh.slots.setVersion(slot, version)
	sh.expireAt(slot, e.due, e.expires)
	sh.tidy()
	sh.store.feed.Send(store.Event{ID: e.key.text, Version: version})
	return version, nil
}

func (sh *shard) touch(k *key, expires time.Time, now int64) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	slot, _ := sh.find(k)
	if sh.closed || slot == none || sh.slots.expires(slot) <= now {
		return sh.missing(slot)
	}
	if err := sh.store.journal.touch(k, expires); err != nil {
		return err
	}
	sh.expireAt(slot, deadline(expires), expires)
	sh.use(slot, now)
	sh.store.feed.Send(store.Event{ID: k.text})
	return nil
}

func (sh *shard) delete(k *key) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return store.ErrClosed
	}
	slot, v := sh.find(k)
	if slot == none {
		return nil
	}
	if err := sh.store.journal.delete(k.text); err != nil {
		return err
	}
	sh.end(slot, &v)
	sh.tidy()
	return nil
}

// end removes the record, releases its room and reports it.
func (sh *shard) end(slot int32, v *view) {
	sh.store.limits.release(1, v.size())
	if sh.store.feed.Watched() {
		sh.store.feed.Send(store.Event{ID: v.id(), Ended: true})
	}
	sh.unlink(slot, v, v.hash(sh.store.seed))
}

// insert adds e, for which room has been reserved.
func (sh *shard) insert(e *encoded, version store.Version, used int64) {
	slot := sh.slots.add()
	sh.put(slot, nil, e)
	sh.slots.setVersion(slot, version)
	sh.slots.setExpires(slot, never)
	sh.expireAt(slot, e.due, e.expires)
	sh.slots.setUsed(slot, used)
	if used < sh.hints.oldest.Load() {
		sh.hints.oldest.Store(used)
	}
	sh.ids.add(e.key.hash, slot)
	sh.joinOwner(slot, e.owner)
}

// put writes the id, owner and data of the record. old is what was written there before, or
// nil.
func (sh *shard) put(slot int32, old *view, e *encoded) {
	if old != nil && old.heap == nil {
		if p := sh.slots.place(slot); e.log != nil && len(e.log) <= old.n {
			copy(sh.log.bytes(p), e.log)
			sh.log.shrink(p, old.n-len(e.log))
			return
		}
		sh.log.remove(sh.slots.place(slot), old.n)
	}
	if e.log == nil {
		if sh.heap == nil {
			sh.heap = make(map[int32]*heaped)
		}
		sh.heap[slot] = &heaped{id: e.key.text, owner: e.owner, data: e.data}
		sh.slots.setPlace(slot, big)
		return
	}
	if old != nil {
		delete(sh.heap, slot)
	}
	p := sh.log.add(len(e.log))
	copy(sh.log.bytes(p), e.log)
	sh.slots.setPlace(slot, p)
}

func (sh *shard) joinOwner(slot int32, owner string) {
	if owner != "" {
		sh.owners.add(maphash.String(sh.store.seed, owner), slot)
	}
}

func (sh *shard) leaveOwner(slot int32, v *view) {
	if v.owned() {
		sh.owners.remove(v.ownerHash(sh.store.seed), slot)
	}
}

func (sh *shard) unlink(slot int32, v *view, hash uint64) {
	sh.ids.remove(hash, slot)
	sh.leaveOwner(slot, v)
	sh.expireAt(slot, never, time.Time{})
	if v.heap != nil {
		delete(sh.heap, slot)
	} else {
		sh.log.remove(sh.slots.place(slot), v.n)
	}
	sh.slots.remove(slot)
	if sh.slots.live == 0 {
		sh.hints.oldest.Store(never)
		if sh.slots.n > keepTables && sh.iterating == 0 {
			sh.drop()
		}
	}
}

// expireAt changes when the record expires: due, or more exactly at.
func (sh *shard) expireAt(slot int32, due int64, at time.Time) {
	was := sh.slots.expires(slot)
	if len(sh.far) > 0 {
		delete(sh.far, slot)
	}
	if due != never && (due == farthest || due == nearest) && !time.Unix(0, due).Equal(at) {
		if sh.far == nil {
			sh.far = make(map[int32]time.Time)
		}
		sh.far[slot] = at
	}
	if due == was {
		return
	}
	sh.slots.setExpires(slot, due)
	if due != never {
		if due < sh.hints.due.Load() {
			sh.hints.due.Store(due)
		}
		if was == never {
			sh.expiring++
		}
		return
	}
	if sh.expiring--; sh.expiring == 0 {
		sh.slots.noneDue()
		sh.hints.due.Store(never)
	}
}

// tidy moves some records together if much memory holds none. It moves at most the records of
// one segment, so that nobody waits for long, and reports whether it did.
func (sh *shard) tidy() bool {
	seg := sh.log.worst()
	if seg != none {
		sh.compact(seg)
	}
	const few = 4
	if sh.slots.n > keepTables*few && sh.slots.live < sh.slots.n/few && sh.iterating == 0 {
		sh.renumber()
	}
	return seg != none
}

// compact moves all records out of the segment, which goes back to the arena then.
func (sh *shard) compact(seg int) {
	if seg == sh.log.last {
		sh.log.open()
	}
	for slot := range sh.slots.n {
		from := sh.slots.place(slot)
		if from.seg() != seg || from == big || sh.slots.version(slot) == 0 {
			continue
		}
		v := sh.view(slot)
		b := sh.log.bytes(from)[:v.n]
		to := sh.log.add(v.n)
		copy(sh.log.bytes(to), b)
		sh.slots.setPlace(slot, to)
		sh.log.remove(from, v.n)
	}
}

// renumber gives the records the lowest numbers, and gives back the memory of the others.
func (sh *shard) renumber() {
	live := sh.slots.live
	to := int32(0)
	for from := live; from < sh.slots.n; from++ {
		if sh.slots.version(from) == 0 {
			continue
		}
		for sh.slots.version(to) != 0 {
			to++
		}
		v := sh.view(from)
		sh.ids.renumber(v.hash(sh.store.seed), from, to)
		if v.owned() {
			sh.owners.renumber(v.ownerHash(sh.store.seed), from, to)
		}
		if v.heap != nil {
			sh.heap[to] = v.heap
			delete(sh.heap, from)
		}
		if far, ok := sh.far[from]; ok {
			sh.far[to] = far
			delete(sh.far, from)
		}
		sh.slots.move(from, to)
	}
	sh.slots.truncate(live)
}

// drop gives back the memory of all records. Versions continue where they were.
func (sh *shard) drop() {
	sh.ids.free()
	sh.owners.free()
	sh.slots.release()
	sh.log.free()
	sh.heap, sh.far, sh.expiring = nil, nil, 0
	sh.hints.due.Store(never)
	sh.hints.oldest.Store(never)
}

// shut ends all calls but those that end the store.
func (sh *shard) shut() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.closed = true
}

// empty releases the room of all records.
func (sh *shard) empty() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for slot := range sh.slots.n {
		if sh.slots.version(slot) != 0 {
			v := sh.view(slot)
			sh.store.limits.release(1, v.size())
		}
	}
	sh.drop()
}
