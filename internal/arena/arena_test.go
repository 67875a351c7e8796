package arena

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// No two callers have the same memory, whatever was handed out and put back before, and all
// regions go back when their segments have.
func TestSegmentsAreApart(t *testing.T) {
	t.Parallel()
	var a Arena
	defer a.Close()
	rng := rand.New(rand.NewPCG(1, 7))
	held := map[uint64]Segment{}
	check := func(number uint64, s Segment) {
		t.Helper()
		for _, at := range []int{0, Size - 8} {
			if got := binary.LittleEndian.Uint64(s.Mem[at:]); got != number {
				t.Fatalf("segment %d has the bytes of %d", number, got)
			}
		}
	}
	for i := range uint64(3000) {
		if rng.IntN(100) < 55-int(i/100) && len(held) > 0 || len(held) > 200 {
			for number, s := range held {
				check(number, s)
				a.Put(s)
				delete(held, number)
				break
			}
			continue
		}
		s := a.Get()
		for _, at := range []int{0, Size - 8} {
			binary.LittleEndian.PutUint64(s.Mem[at:], i)
		}
		held[i] = s
	}
	if a.InUse() != len(held) {
		t.Errorf("%d in use, want %d", a.InUse(), len(held))
	}
	for number, s := range held {
		check(number, s)
		a.Put(s)
	}
	if a.InUse() != 0 || len(a.all) > 0 || len(a.holed) > 0 {
		t.Errorf("%d in use and %d regions kept when all were put back", a.InUse(), len(a.all))
	}
}

// Put after Close, as by a caller that was late, does no harm.
func TestPutAfterClose(t *testing.T) {
	t.Parallel()
	var a Arena
	s := a.Get()
	a.Close()
	a.Put(s)
	a.Close()
	if len(a.all) != 0 || a.InUse() != 0 {
		t.Error("memory is kept after Close")
	}
}
