package document

import (
	"bytes"
	"reflect"
	"unsafe"

	"github.com/nestsession/session/internal/recent"
)

// DefaultCacheBytes is how much memory decoded documents may take: more than 65,536 sessions of
// a few hundred bytes.
const DefaultCacheBytes = 80 << 20

// maxDocument is the size from which a document is decoded each time: few sessions would
// take the room of many.
const maxDocument = 16 << 10

// Place is where the document of a record is, or would be, in the cache. Whoever loads the
// record takes it before.
type Place struct {
	key   string
	hash  recent.Hash
	drops uint32
	entry *recent.Entry

	// Version is the version of the document that is cached: 0 if there is none, or if its
	// version is not known.
	Version uint64
}

// Look looks for the document of the record under key.
func (c *Codec[T]) Look(key string) Place {
	p := Place{key: key, hash: c.cache.Hash(key)}
	p.drops = c.cache.Drops(p.hash)
	p.entry = c.cache.Get(p.hash, under(key))
	if p.entry != nil {
		p.Version = p.entry.Value.(*Document[T]).version.Load()
	}
	return p
}

// Shared returns a key in the memory of its document, if there is one in the cache. Keys in one
// memory are compared without a look at their text, which is cold memory among many sessions.
func (c *Codec[T]) Shared(key string) string {
	if p := c.Look(key); p.entry != nil {
		return p.entry.Key
	}
	return key
}

// under reports whether an entry is that of a key.
func under(key string) func(*recent.Entry) bool {
	return func(e *recent.Entry) bool { return e.Key == key }
}

// DecodeAt reads the data of the record under key. The result comes from the cache if the data
// are nil and the version is p's, which is how a store answers that was given p's version. It
// also does if the text is the same: then the value is the stored one, whatever the store's
// versions are worth. Sealed data are opened with with; if they cannot be, the document is
// locked, and not cached.
func (c *Codec[T]) DecodeAt(p Place, key string, data []byte, version uint64, with Opener) (*Document[T], error) {
	if key != p.key { // a record that stands for the one that was looked for
		return c.Read(key, data)
	}
	if p.entry != nil {
		d := p.entry.Value.(*Document[T])
		if data == nil && version != 0 && version == p.Version {
			return d, nil
		}
		if bytes.Equal(d.Data, data) {
			if d.version.Load() != version {
				d.version.Store(version)
			}
			return d, nil
		}
	}
	d, err := c.Read(key, data)
	if err == nil && d.seal != nil {
		d, err = c.unlock(d, with)
	}
	if err != nil || d.Locked() != nil {
		return d, err
	}
	d.drops = p.drops
	d.version.Store(version)
	if p.entry != nil || c.cache.Wants(p.hash) {
		c.keep(d, p.hash)
	}
	return d, nil
}

// Keep takes a document into the cache: a version that was just stored. It does not if a
// session has ended since the document was composed, for it may be this one. A full cache takes it
// at the next load. Of a session that is over, or lives on under another id, there is nothing to
// keep; nor is a large one kept.
func (c *Codec[T]) Keep(d *Document[T], version uint64) {
	d.version.Store(version)
	hash := c.cache.Hash(d.entry.Key)
	if c.cache.Full(hash) && c.cache.Get(hash, under(d.entry.Key)) == nil {
		c.cache.Wants(hash)
		return
	}
	c.keep(d, hash)
}

func (c *Codec[T]) keep(d *Document[T], hash recent.Hash) {
	d.entry.Value = d
	is := under(d.entry.Key)
	if !d.Meta.Ended && d.Meta.Successor == "" && len(d.Data) <= maxDocument {
		c.cache.Put(hash, &d.entry, c.size(d), d.drops, is)
	} else if c.cache.Get(hash, is) != nil {
		c.cache.Drop(hash, is)
	}
}

// SetCacheBytes changes how much memory decoded documents may take.
func (c *Codec[T]) SetCacheBytes(n int) { c.cache.SetLimit(n) }

// Forget drops a session that has ended.
func (c *Codec[T]) Forget(key string) {
	c.cache.Drop(c.cache.Hash(key), under(key))
}

// Cached returns how many documents the cache has, and how many bytes they take.
func (c *Codec[T]) Cached() (documents, bytes int) { return c.cache.Count() }

// size is about what a document takes in memory.
func (c *Codec[T]) size(d *Document[T]) int {
	n := int(unsafe.Sizeof(*d)) + len(d.entry.Key) + cap(d.Data) + len(d.Meta.Owner) + d.Meta.Device.size()
	n += c.copier.Size(reflect.ValueOf(&d.Value).Elem(), len(d.Data)) - int(unsafe.Sizeof(d.Value))
	if coded := d.coded.Load(); coded != nil {
		n += cap(*coded)
	}
	if d.seal != nil {
		n += int(unsafe.Sizeof(*d.seal)) + cap(d.seal.text) + cap(d.seal.wrapped)
	}
	if len(d.Misfits) > 0 {
		n += 4 * len(d.Data)
	}
	return n + n/8 // what the allocator adds
}
