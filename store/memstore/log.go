package memstore

import (
	"github.com/nestsession/session/internal/arena"
)

// log keeps byte strings of one shard. New ones are appended to the last segment; the room of
// those that are gone comes back when the rest of their segment is moved, see
// shard.compact.
type log struct {
	arena *arena.Arena
	segs  []logSegment
	holes []uint16 // numbers in segs that are not in use
	last  int      // the segment that grows; none
	live  int64    // bytes in use
	taken int64    // bytes that are in use or were
}

type logSegment struct {
	arena.Segment
	live, end int32
}

// A place is the number of a segment and an offset in it.
type place uint32

const (
	placeBits = 18
	maxLogged = arena.Size / 8        // a longer string is not for a log
	maxSegs   = 1 << (32 - placeBits) // in a shard
)

func (p place) seg() int    { return int(p >> placeBits) }
func (p place) offset() int { return int(p & (1<<placeBits - 1)) }

// bytes returns the memory from p to the end of the segment.
func (l *log) bytes(p place) []byte { return l.segs[p.seg()].Mem[p.offset():] }

// full reports whether there is no number for another segment. At 256 KB each that is after
// 4 GB in one shard.
func (l *log) full() bool { return len(l.segs) == maxSegs && len(l.holes) == 0 }

// add returns room for n bytes.
func (l *log) add(n int) place {
	if l.last == none || int(l.segs[l.last].end)+n > arena.Size {
		l.open()
	}
	s := &l.segs[l.last]
	p := place(l.last<<placeBits) | place(s.end)
	s.end += int32(n)
	s.live += int32(n)
	l.live += int64(n)
	l.taken += int64(n)
	return p
}

// open begins another segment.
func (l *log) open() {
	if l.last != none {
		s := &l.segs[l.last]
		l.taken += int64(arena.Size - s.end)
		s.end = arena.Size
		if s.live == 0 {
			l.drop(l.last)
		}
	}
	if n := len(l.holes); n > 0 {
		l.last = int(l.holes[n-1])
		l.holes = l.holes[:n-1]
	} else {
		l.last = len(l.segs)
		l.segs = append(l.segs, logSegment{})
	}
	l.segs[l.last] = logSegment{Segment: l.arena.Get()}
}

// shrink gives up the last n bytes of a string, but not all of them.
func (l *log) shrink(p place, n int) {
	l.segs[p.seg()].live -= int32(n)
	l.live -= int64(n)
}

// remove gives up n bytes at p.
func (l *log) remove(p place, n int) {
	i := p.seg()
	s := &l.segs[i]
	s.live -= int32(n)
	l.live -= int64(n)
	if s.live > 0 {
		return
	}
	if i != l.last {
		l.drop(i)
		return
	}
	l.taken -= int64(s.end)
	s.end = 0
}

func (l *log) drop(i int) {
	s := &l.segs[i]
	l.taken -= int64(s.end)
	l.arena.Put(s.Segment)
	*s = logSegment{}
	l.holes = append(l.holes, uint16(i))
	if i == l.last {
		l.last = none
	}
}

// worst returns the segment with the most bytes that are not in use, if so many are not in
// use that they are worth the work; else none.
func (l *log) worst() int {
	if l.taken-l.live <= l.live/8+arena.Size/16 {
		return none
	}
	worst, most := none, int32(0)
	for i := range l.segs {
		if waste := l.segs[i].end - l.segs[i].live; waste > most {
			worst, most = i, waste
		}
	}
	return worst
}

func (l *log) free() {
	for _, s := range l.segs {
		if s.Mem != nil {
			l.arena.Put(s.Segment)
		}
	}
	*l = log{arena: l.arena, last: none}
}
