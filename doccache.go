package session

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
)

const (
	cacheSlots    = 16384   // a power of two
	cacheMaxBytes = 8 << 10 // larger documents are decoded each time
)

// documentCache keeps decoded documents: a version is decoded once, not once a
// request. Each key has one slot, which the last document to come takes, so that
// there is nothing to evict, lock or leak. The text is compared on every hit:
// whatever the store's versions are worth, a cached value is the stored one.
type documentCache[T any] struct {
	slots *[cacheSlots]atomic.Pointer[document[T]]
	seed  maphash.Seed
}

func newDocumentCache[T any]() documentCache[T] {
	return documentCache[T]{new([cacheSlots]atomic.Pointer[document[T]]), maphash.MakeSeed()}
}

func (c *documentCache[T]) slot(key string) *atomic.Pointer[document[T]] {
	return &c.slots[maphash.String(c.seed, key)%cacheSlots]
}

func (c *documentCache[T]) get(key string, data []byte) *document[T] {
	d := c.slot(key).Load()
	if d == nil || d.key != key || !bytes.Equal(d.data, data) {
		return nil
	}
	return d
}

// drop forgets the document of a session that has ended.
func (c *documentCache[T]) drop(key string) {
	slot := c.slot(key)
	if d := slot.Load(); d != nil && d.key == key {
		slot.CompareAndSwap(d, nil)
	}
}

func (c *documentCache[T]) put(d *document[T]) {
	if len(d.data) <= cacheMaxBytes {
		c.slot(d.key).Store(d)
	}
}
