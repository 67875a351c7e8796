package memstore

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/nestsession/session/internal/pack"
	"github.com/nestsession/session/store"
)

// encoded is a record on its way into a shard.
type encoded struct {
	key     key
	owner   string
	data    []byte
	log     []byte // its form in the log; nil if it is too long for that
	expires time.Time
	due     int64
}

// What the first byte of a record in the log says.
const (
	hasRawKey = 1 << iota
	hasOwner
)

// scratch is where a record is put together.
type scratch struct{ b []byte }

var scratches = sync.Pool{New: func() any { return &scratch{make([]byte, 0, 1024)} }}

// encode puts r into the form that is kept. The result may use the memory of buf.
func (s *Store) encode(r store.Record, buf *scratch) encoded {
	e := encoded{key: s.key(r.ID), owner: r.Owner, data: r.Data, expires: r.Expires.Round(0)}
	e.due = deadline(e.expires)
	if len(r.ID)+len(r.Owner)+len(r.Data) > maxLogged-16 {
		// The array is kept. It is not much larger than it counts, and has no room to append.
		const slack = 512
		if cap(e.data)-len(e.data) > slack {
			e.data = slices.Clone(e.data)
		}
		e.data = slices.Clip(e.data)
		return e
	}
	b := append(buf.b[:0], 0)
	if e.key.isRaw {
		b[0] |= hasRawKey
		b = append(b, e.key.raw[:]...)
	} else {
		b = binary.AppendUvarint(b, uint64(len(r.ID)))
		b = append(b, r.ID...)
	}
	if r.Owner != "" {
		b[0] |= hasOwner
		b = binary.AppendUvarint(b, uint64(len(r.Owner)))
		b = append(b, r.Owner...)
	}
	// The length of the packed document is not known yet: it takes two bytes.
	at := len(b)
	b = s.words.dict().Append(append(b, 0, 0), r.Data)
	n := len(b) - at - 2
	binary.LittleEndian.PutUint16(b[at:], uint16(n))
	s.words.saw(e.key.hash, r.Data, n)
	buf.b, e.log = b, b
	return e
}

func (e *encoded) size() int64 { return sizeOf(e.key.text, e.owner, e.data) }

// heaped is a record that is too long for the log.
type heaped struct {
	id, owner string
	data      []byte
}

// view is a record in a shard. It is valid while the shard is locked and not changed.
type view struct {
	isRaw      bool
	key, owner []byte
	packed     []byte
	n          int // bytes in the log
	heap       *heaped
}

func (sh *shard) view(slot int32) view {
	p := sh.slots.place(slot)
	if p == big {
		return view{heap: sh.heap[slot]}
	}
	b := sh.log.bytes(p)
	v := view{isRaw: b[0]&hasRawKey != 0}
	at := 1
	part := func() []byte {
		n, k := binary.Uvarint(b[at:])
		begin := at + k
		at = begin + int(n)
		return b[begin:at]
	}
	if v.isRaw {
		at += rawKey
		v.key = b[1:at]
	} else {
		v.key = part()
	}
	if b[0]&hasOwner != 0 {
		v.owner = part()
	}
	n := int(binary.LittleEndian.Uint16(b[at:]))
	at += 2
	v.packed = b[at : at+n]
	v.n = at + n
	return v
}

// is reports whether the record has the key.
func (v *view) is(k *key) bool {
	switch {
	case v.heap != nil:
		return v.heap.id == k.text
	case v.isRaw != k.isRaw:
		return false
	case v.isRaw:
		return [rawKey]byte(v.key) == k.raw
	}
	return string(v.key) == k.text
}

func (v *view) id() string {
	switch {
	case v.heap != nil:
		return v.heap.id
	case v.isRaw:
		return encodeKey(v.key)
	}
	return string(v.key)
}

func (v *view) hash(seed maphash.Seed) uint64 {
	if v.heap == nil {
		return maphash.Bytes(seed, v.key)
	}
	if raw, ok := decodeKey(v.heap.id); ok {
		return maphash.Bytes(seed, raw[:])
	}
	return maphash.String(seed, v.heap.id)
}

func (v *view) owned() bool {
	if v.heap != nil {
		return v.heap.owner != ""
	}
	return len(v.owner) > 0
}

func (v *view) ownedBy(owner string) bool {
	if v.heap != nil {
		return v.heap.owner == owner
	}
	return string(v.owner) == owner
}

func (v *view) ownerHash(seed maphash.Seed) uint64 {
	if v.heap != nil {
		return maphash.String(seed, v.heap.owner)
	}
	return maphash.Bytes(seed, v.owner)
}

// size is what the record counts.
func (v *view) size() int64 {
	if v.heap != nil {
		return sizeOf(v.heap.id, v.heap.owner, v.heap.data)
	}
	n := len(v.key)
	if v.isRaw {
		n = rawText
	}
	return int64(n+len(v.owner)+pack.Size(v.packed)) + RecordOverhead
}

// record returns a copy of the record, with the id, which is v's if it is "".
func (sh *shard) record(slot int32, v *view, id string) store.Record {
	r := store.Record{ID: id, Version: sh.slots.version(slot), Expires: sh.expires(slot)}
	if id == "" {
		r.ID = v.id()
	}
	if v.heap != nil {
		r.Owner, r.Data = v.heap.owner, v.heap.data
		return r
	}
	r.Owner = string(v.owner)
	r.Data = sh.store.words.dict().Unpack(v.packed)
	return r
}

func (sh *shard) expires(slot int32) time.Time {
	at := sh.slots.expires(slot)
	if at == never {
		return time.Time{}
	}
	if far, ok := sh.far[slot]; ok {
		return far
	}
	return time.Unix(0, at)
}
