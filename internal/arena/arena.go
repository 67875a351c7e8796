// Package arena hands out memory in segments of one size, outside the Go heap where the
// operating system allows it. A garbage collection neither scans these segments nor waits for
// the heap to double before it frees them, and they go back to the system when they are put
// back.
package arena

import "sync"

// Segment is a piece of memory. Its contents are undefined when it is handed out.
type Segment struct {
	Mem    *[Size]byte
	region *region
	bit    uint32
}

// region is memory that came from the system in one piece.
type region struct {
	mem  []byte
	free uint32 // a bit for each segment that is not in use
}

const allFree = 1<<perRegion - 1

// Arena hands out segments. The zero value is ready for use, by several goroutines.
type Arena struct {
	mu     sync.Mutex
	holed  map[*region]struct{} // regions with a free segment
	all    map[*region]struct{}
	inUse  int
	closed bool
}

// InUse is how many segments were handed out and not put back.
func (a *Arena) InUse() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inUse
}

// Get returns a segment.
func (a *Arena) Get() Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inUse++
	for r := range a.holed {
		return a.take(r)
	}
	if a.all == nil {
		a.all, a.holed = map[*region]struct{}{}, map[*region]struct{}{}
	}
	r := &region{mem: obtain(), free: allFree}
	a.all[r], a.holed[r] = struct{}{}, struct{}{}
	return a.take(r)
}

// take returns a free segment of r.
func (a *Arena) take(r *region) Segment {
	for i := range uint32(perRegion) {
		if bit := uint32(1) << i; r.free&bit != 0 {
			if r.free &^= bit; r.free == 0 {
				delete(a.holed, r)
			}
			return Segment{Mem: (*[Size]byte)(r.mem[i*Size:]), region: r, bit: bit}
		}
	}
	panic("arena: no free segment in a region that has one")
}

// Put takes back a segment, whose memory goes back to the system, and with the last of a
// region the region. The caller must not use it any more.
func (a *Arena) Put(s Segment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.inUse--
	r := s.region
	if r.free |= s.bit; r.free != allFree {
		a.holed[r] = struct{}{}
		discard(s.Mem[:])
		return
	}
	delete(a.holed, r)
	delete(a.all, r)
	release(r.mem)
}

// Close gives all memory back. No segment may be in use.
func (a *Arena) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for r := range a.all {
		release(r.mem)
	}
	a.all, a.holed, a.inUse = nil, nil, 0
}
