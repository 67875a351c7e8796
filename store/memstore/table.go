package memstore

import (
	"encoding/binary"
	"math"

	"github.com/nestsession/session/internal/arena"
)

// table finds slots by a hash, by open addressing with linear probing. An entry has 32 bits:
// the number of the slot, plus one, in the low bits, and a tag, which is the beginning of
// the hash, in the others. Where an entry belongs follows from its tag. So the table
// grows, shrinks and closes gaps without reading the records, which would be a cache miss
// each: to make room among 5,000 takes some microseconds.
type table struct {
	arena *arena.Arena
	pages []arena.Segment
	n     uint32 // entries
	total uint32 // positions
	bits  uint32 // of a slot's number
}

const (
	leastBits = 13
	leastSize = 64
	entrySize = 4
	perPage   = arena.Size / entrySize
)

func (t *table) at(pos uint32) uint32 {
	return binary.LittleEndian.Uint32(t.pages[pos/perPage].Mem[pos%perPage*entrySize:])
}

func (t *table) set(pos, entry uint32) {
	binary.LittleEndian.PutUint32(t.pages[pos/perPage].Mem[pos%perPage*entrySize:], entry)
}

func (t *table) tag(hash uint64) uint32 { return uint32(hash>>32) >> t.bits }

func (t *table) home(tag uint32) uint32 {
	return uint32(uint64(tag) * uint64(t.total) >> (32 - t.bits))
}

func (t *table) after(pos uint32) uint32 {
	if pos++; pos == t.total {
		return 0
	}
	return pos
}

// probe is a search for the slots with a hash.
type probe struct{ pos, tag uint32 }

func (t *table) probe(hash uint64) probe {
	if t.n == 0 {
		return probe{}
	}
	tag := t.tag(hash)
	return probe{t.home(tag), tag}
}

// next returns the next slot whose hash begins with the same tag, or none.
func (t *table) next(p *probe) int32 {
	if t.n == 0 {
		return none
	}
	for {
		e := t.at(p.pos)
		if e == 0 {
			return none
		}
		p.pos = t.after(p.pos)
		if e>>t.bits == p.tag {
			return int32(e&(1<<t.bits-1)) - 1
		}
	}
}

func (t *table) add(hash uint64, slot int32) {
	bits := max(t.bits, leastBits)
	for uint32(slot)+1 >= 1<<bits {
		bits++
	}
	if total := t.total; bits != t.bits || (t.n+1)*5 > total*4 {
		if (t.n+1)*5 > total*4 {
			total = max(total+total/4, leastSize)
		}
		t.rebuild(total, bits)
	}
	t.n++
	tag := t.tag(hash)
	t.putFrom(t.home(tag), tag<<t.bits|(uint32(slot)+1))
}

// expect makes room for n entries in an empty table.
func (t *table) expect(n uint32) {
	if t.n > 0 || n < leastSize {
		return
	}
	bits := uint32(leastBits)
	for n+1 >= 1<<bits {
		bits++
	}
	t.rebuild(n+n/4+1, bits)
}

// putFrom puts an entry into the first free position from pos on, and returns it.
func (t *table) putFrom(pos, entry uint32) uint32 {
	for t.at(pos) != 0 {
		pos = t.after(pos)
	}
	t.set(pos, entry)
	return pos
}

// find returns the position of the slot.
func (t *table) find(hash uint64, slot int32) uint32 {
	entry := t.tag(hash)<<t.bits | (uint32(slot) + 1)
	pos := t.home(entry >> t.bits)
	for t.at(pos) != entry {
		pos = t.after(pos)
	}
	return pos
}

func (t *table) renumber(hash uint64, from, to int32) {
	t.set(t.find(hash, from), t.tag(hash)<<t.bits|(uint32(to)+1))
}

func (t *table) remove(hash uint64, slot int32) {
	gap := t.find(hash, slot)
	for pos := t.after(gap); ; pos = t.after(pos) {
		e := t.at(pos)
		if e == 0 {
			break
		}
		// An entry moves into the gap unless that is before its home.
		if home := t.home(e >> t.bits); t.apart(home, pos) >= t.apart(gap, pos) {
			t.set(gap, e)
			gap = pos
		}
	}
	t.set(gap, 0)
	t.n--
	if t.total > leastSize && t.n < t.total/4 {
		t.rebuild(max(t.total/2, leastSize), t.bits)
	}
}

// apart is how far to is after from.
func (t *table) apart(from, to uint32) uint32 {
	if to >= from {
		return to - from
	}
	return to + t.total - from
}

func (t *table) rebuild(total, bits uint32) {
	old := *t
	t.total, t.bits = total, bits
	t.pages = make([]arena.Segment, (total+perPage-1)/perPage)
	for i := range t.pages {
		t.pages[i] = t.arena.Get()
		clear(t.pages[i].Mem[:min(perPage, total-uint32(i)*perPage)*entrySize])
	}
	shift := bits - old.bits
	// Many records may have one tag, because they have one owner. They stand together, and the
	// next is not searched for a place from the beginning.
	lastTag, next := uint32(math.MaxUint32), uint32(0)
	for pos := range old.total {
		e := old.at(pos)
		if e == 0 {
			continue
		}
		tag, slot := e>>old.bits>>shift, e&(1<<old.bits-1)
		if tag != lastTag {
			lastTag, next = tag, t.home(tag)
		}
		next = t.after(t.putFrom(next, tag<<bits|slot))
	}
	old.free()
}

// free gives the memory back, and leaves an empty table.
func (t *table) free() {
	for _, p := range t.pages {
		t.arena.Put(p)
	}
	*t = table{arena: t.arena}
}
