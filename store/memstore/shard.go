package memstore

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

// errNoRoom says that the caller has to make room, without the lock, and write again.
var errNoRoom = errors.New("memstore: no room")

// keepTables is the most records for which a shard keeps its tables when it is empty. Larger
// tables are dropped, because a map does not shrink.
const keepTables = 64

// shard is one part of the store under a lock of its own. Everything below mu is
// guarded by it. No code holds two shards' locks.
type shard struct {
	store *Store

	// Hints for a search over all shards for a session to evict, readable without the
	// lock.
	nextDue atomic.Int64 // earliest expiry; never if there is none
	oldest  atomic.Int64 // when the least recently used one was used; never if there is none

	mu      sync.Mutex
	records map[string]*entry
	owners  map[string]chain
	slots   slots
	due     expiries
	lru     recency
	seq     uint64 // last version or place in a chain; it only grows, so that none is used twice
	closed  bool

	_ [64]byte // keeps the lock of the next shard out of this one's cache line
}

func (sh *shard) init(s *Store) {
	sh.store = s
	sh.lru.init()
	sh.publish()
}

// publish updates the hints.
func (sh *shard) publish() {
	if d := sh.due.first(); d != sh.nextDue.Load() {
		sh.nextDue.Store(d)
	}
	if o := sh.leastUse(); o != sh.oldest.Load() {
		sh.oldest.Store(o)
	}
}

// leastUse returns when the least recently used session was used, or never.
func (sh *shard) leastUse() int64 {
	if sh.lru.tail == none {
		return never
	}
	return sh.slots.items[sh.lru.tail].used
}

// missing returns the error for an e that is nil or has expired.
func (sh *shard) missing(e *entry) error {
	switch {
	case sh.closed:
		return store.ErrClosed
	case e != nil:
		return store.ErrExpired
	}
	return store.ErrNotFound
}

// use marks e as the most recently used.
func (sh *shard) use(e *entry, now int64) {
	if !sh.store.limits.evicts {
		return
	}
	wasOldest := sh.lru.tail == e.slot
	e.used = now
	sh.lru.toFront(e.slot)
	if wasOldest {
		sh.oldest.Store(sh.leastUse())
	}
}

func (sh *shard) create(r store.Record, now int64) (store.Version, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return 0, store.ErrClosed
	}
	sessions, size := int64(1), recordSize(r)
	old := sh.records[r.ID]
	if old != nil {
		if old.expires > now {
			return 0, store.ErrExists
		}
		sessions, size = 0, size-old.size()
	}
	if !sh.store.limits.reserve(sessions, size) {
		return 0, errNoRoom
	}
	if old != nil {
		sh.unlink(old)
		sh.store.limits.expired.Add(1)
		sh.store.feed.Send(store.Event{ID: r.ID})
	}
	sh.seq++
	r.Version = store.Version(sh.seq)
	sh.insert(newEntry(r, now))
	sh.publish()
	return r.Version, nil
}

func (sh *shard) update(r store.Record, now int64) (store.Version, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.records[r.ID]
	if e == nil || e.expires <= now {
		return 0, sh.missing(e)
	}
	if e.version != r.Version {
		return 0, store.ErrConflict
	}
	if !sh.store.limits.reserve(0, recordSize(r)-e.size()) {
		sh.use(e, now) // so that other sessions are evicted first
		return 0, errNoRoom
	}
	sh.seq++
	e.data, e.version = r.Data, store.Version(sh.seq)
	if e.owner() != r.Owner {
		sh.leaveOwner(e)
		e.setOwner(r.Owner)
		sh.joinOwner(e)
	}
	sh.expireAt(e, r.Expires)
	sh.use(e, now)
	sh.publish()
	sh.store.feed.Send(store.Event{ID: e.id, Version: e.version})
	return e.version, nil
}

func (sh *shard) touch(id string, expires time.Time, now int64) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.records[id]
	if e == nil || e.expires <= now {
		return sh.missing(e)
	}
	sh.expireAt(e, expires)
	sh.use(e, now)
	sh.publish()
	sh.store.feed.Send(store.Event{ID: e.id})
	return nil
}

func (sh *shard) delete(id string) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return store.ErrClosed
	}
	if e := sh.records[id]; e != nil {
		sh.end(e)
		sh.publish()
	}
	return nil
}

// end removes e, releases its room and reports it.
func (sh *shard) end(e *entry) {
	sh.unlink(e)
	sh.store.limits.release(1, e.size())
	sh.store.feed.Send(store.Event{ID: e.id, Ended: true})
}

// insert adds e, for which room has been reserved, to all lists.
func (sh *shard) insert(e *entry) {
	if sh.records == nil {
		sh.records = make(map[string]*entry)
	}
	sh.records[e.id] = e
	e.slot = sh.slots.add(e)
	if e.expires != never {
		sh.due.add(e.slot, e.expires)
	}
	if sh.store.limits.evicts {
		sh.lru.push(e.slot)
	}
	sh.joinOwner(e)
}

// unlink removes e from all lists.
func (sh *shard) unlink(e *entry) {
	delete(sh.records, e.id)
	sh.slots.remove(e.slot)
	if e.expires != never {
		sh.due.remove(e.slot)
	}
	if sh.store.limits.evicts {
		sh.lru.remove(e.slot)
	}
	sh.leaveOwner(e)
	if len(sh.records) == 0 && len(sh.slots.items) > keepTables {
		sh.records, sh.owners, sh.slots, sh.due = nil, nil, slots{}, expiries{}
	}
}

func (sh *shard) expireAt(e *entry, expires time.Time) {
	was := e.expires
	e.setExpires(expires)
	switch {
	case e.expires == was:
	case e.expires == never:
		sh.due.remove(e.slot)
	case was == never:
		sh.due.add(e.slot, e.expires)
	default:
		sh.due.move(e.slot, e.expires)
	}
}

// drop removes all records. Versions continue where they were.
func (sh *shard) drop() {
	sh.records, sh.owners, sh.slots, sh.due = nil, nil, slots{}, expiries{}
	sh.lru.init()
}

func (sh *shard) close() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return
	}
	sh.closed = true
	for _, e := range sh.records {
		sh.store.limits.release(1, e.size())
	}
	sh.drop()
	sh.publish()
}
