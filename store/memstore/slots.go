package memstore

import (
	"encoding/binary"
	"math"

	"github.com/nestsession/session/internal/arena"
	"github.com/nestsession/session/store"
)

// none means no slot, or no segment.
const none = -1

// slots keep what is of the same size for each record: 24 bytes with its expiry, its place,
// its version and when it was used. The number of a slot stays the same while the record
// exists, unless the shard renumbers when it is not iterated.
//
// Each block of slots has two bounds: no record in it expires earlier, and none was used
// longer ago. A search for the record that expires first, or was used the longest ago,
// compares the bounds and reads only few blocks. To use a record changes nothing but its slot.
type slots struct {
	arena  *arena.Arena
	pages  []arena.Segment
	blocks []bounds
	n      int32 // numbers given, including free ones
	live   int32
	free   int32 // the first of a list of free slots, or none
}

type bounds struct {
	due  int64
	used int64
}

const (
	slotSize     = 24
	blockSlots   = 32
	slotsPerPage = arena.Size / slotSize / blockSlots * blockSlots

	// big as the place of a record means that it is on the heap.
	big = place(math.MaxUint32)

	// max48 is the largest number of 48 bits, which versions and times of use have.
	max48 = 1<<48 - 1
)

func (s *slots) at(slot int32) *[slotSize]byte {
	return (*[slotSize]byte)(s.pages[slot/slotsPerPage].Mem[slot%slotsPerPage*slotSize:])
}

func (s *slots) expires(slot int32) int64 {
	return int64(binary.LittleEndian.Uint64(s.at(slot)[0:]))
}

func (s *slots) place(slot int32) place {
	return place(binary.LittleEndian.Uint32(s.at(slot)[8:]))
}

// version is 0 if the slot is free.
func (s *slots) version(slot int32) store.Version {
	return store.Version(binary.LittleEndian.Uint64(s.at(slot)[10:]) >> 16)
}

func (s *slots) used(slot int32) int64 {
	return int64(binary.LittleEndian.Uint64(s.at(slot)[16:]) >> 16)
}

func (s *slots) setPlace(slot int32, p place) {
	binary.LittleEndian.PutUint32(s.at(slot)[8:], uint32(p))
}

func (s *slots) setVersion(slot int32, v store.Version) { put48(s.at(slot)[12:], uint64(v)) }

func put48(b []byte, v uint64) {
	binary.LittleEndian.PutUint16(b, uint16(v))
	binary.LittleEndian.PutUint32(b[2:], uint32(v>>16))
}

func (s *slots) setExpires(slot int32, at int64) {
	binary.LittleEndian.PutUint64(s.at(slot)[0:], uint64(at))
	b := &s.blocks[slot/blockSlots]
	b.due = min(b.due, at)
}

func (s *slots) setUsed(slot int32, at int64) {
	put48(s.at(slot)[18:], uint64(at))
	b := &s.blocks[slot/blockSlots]
	b.used = min(b.used, at)
}

// add returns a slot that is not in use.
func (s *slots) add() int32 {
	s.live++
	if slot := s.free; slot != none {
		s.free = int32(binary.LittleEndian.Uint32(s.at(slot)[8:]))
		return slot
	}
	slot := s.n
	s.n++
	if slot%slotsPerPage == 0 {
		s.pages = append(s.pages, s.arena.Get())
	}
	if slot%blockSlots == 0 {
		s.blocks = append(s.blocks, bounds{never, never})
	}
	return slot
}

func (s *slots) remove(slot int32) {
	s.live--
	b := s.at(slot)
	*b = [slotSize]byte{}
	binary.LittleEndian.PutUint32(b[8:], uint32(s.free))
	s.free = slot
}

// firstDue returns the record that expires first, and when. It corrects bounds on its way. If
// none expires, the slot is none and the time is never.
func (s *slots) firstDue() (int32, int64) {
	for {
		at, second := lowest(s.blocks, func(b *bounds) int64 { return b.due })
		if at == none {
			return none, never
		}
		slot, due := s.least(at, none, s.expires)
		if s.blocks[at].due = due; due <= second && slot != none {
			return slot, due
		}
	}
}

// leastUsed returns the record that was used the longest ago, other than except, and when.
// It corrects bounds on its way.
func (s *slots) leastUsed(except int32) (int32, int64) {
	skip := none
	if except != none {
		// Its block is searched apart, because its bound includes it.
		skip = int(except / blockSlots)
	}
	for {
		at, second := none, int64(never)
		best := int64(never)
		for i := range s.blocks {
			if u := s.blocks[i].used; i != skip && u < best {
				at, best, second = i, u, best
			} else if i != skip && u < second {
				second = u
			}
		}
		if at == none {
			break
		}
		slot, used := s.least(at, none, s.used)
		if s.blocks[at].used = used; slot == none || used > second {
			continue
		}
		if skip != none {
			if other, u := s.least(skip, except, s.used); u < used {
				return other, u
			}
		}
		return slot, used
	}
	if skip != none {
		return s.least(skip, except, s.used)
	}
	return none, never
}

// lowest returns the block with the lowest bound, and the second lowest bound.
func lowest(blocks []bounds, of func(*bounds) int64) (at int, second int64) {
	at, second = none, never
	best := int64(never)
	for i := range blocks {
		switch v := of(&blocks[i]); {
		case v < best:
			at, best, second = i, v, best
		case v < second:
			second = v
		}
	}
	return at, second
}

// least returns the record of a block with the least value, other than except.
func (s *slots) least(block int, except int32, of func(int32) int64) (int32, int64) {
	slot, best := int32(none), int64(never)
	first := int32(block * blockSlots)
	for i := first; i < min(first+blockSlots, s.n); i++ {
		if i == except || s.version(i) == 0 {
			continue
		}
		if v := of(i); v < best {
			slot, best = i, v
		}
	}
	return slot, best
}

// noneDue notes that no record expires.
func (s *slots) noneDue() {
	for i := range s.blocks {
		s.blocks[i].due = never
	}
}

// move gives the record another number, which is free. The list of free slots is not kept.
func (s *slots) move(from, to int32) {
	*s.at(to) = *s.at(from)
	s.setExpires(to, s.expires(to))
	s.setUsed(to, s.used(to))
	*s.at(from) = [slotSize]byte{}
}

// release gives the memory back, and leaves no slots.
func (s *slots) release() {
	for _, p := range s.pages {
		s.arena.Put(p)
	}
	*s = slots{arena: s.arena, free: none}
}

// truncate gives back what is after the first n slots, which are all in use.
func (s *slots) truncate(n int32) {
	pages := (n + slotsPerPage - 1) / slotsPerPage
	for _, p := range s.pages[pages:] {
		s.arena.Put(p)
	}
	clear(s.pages[pages:])
	s.pages = s.pages[:pages:pages]
	s.blocks = append([]bounds(nil), s.blocks[:(n+blockSlots-1)/blockSlots]...)
	s.n, s.free = n, none
}
