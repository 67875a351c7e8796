package memstore

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Slots come out in the order of their times, whatever was added, moved and removed before.
func TestExpiriesComeInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var x expiries
		times := map[int32]int64{}
		for range 2000 {
			slot := int32(rng.IntN(200))
			time := rng.Int64N(1000)
			_, there := times[slot]
			switch {
			case !there:
				x.add(slot, time)
				times[slot] = time
			case rng.IntN(2) == 0:
				x.move(slot, time)
				times[slot] = time
			default:
				x.remove(slot)
				delete(times, slot)
			}
		}
		var want, got []int64
		for _, time := range times {
			want = append(want, time)
		}
		slices.Sort(want)
		for len(x.heap) > 0 {
			slot := x.heap[0].slot
			if x.first() != times[slot] {
				t.Fatalf("seed %d: slot %d at %d, want %d", seed, slot, x.first(), times[slot])
			}
			got = append(got, x.first())
			x.remove(slot)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: times %v, want %v", seed, got, want)
		}
	}
}
