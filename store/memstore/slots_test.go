package memstore

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nestsession/session/internal/arena"
)

// Records come out in the order of their times, whatever was added, changed and removed before.
func TestTimesComeInOrder(t *testing.T) {
	t.Parallel()
	var memory arena.Arena
	defer memory.Close()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 6))
		s := slots{arena: &memory, free: none}
		due, used := map[int32]int64{}, map[int32]int64{}
		set := func(slot int32) {
			due[slot], used[slot] = rng.Int64N(1000), rng.Int64N(1000)
			if rng.IntN(4) == 0 {
				due[slot] = never
			}
			s.setExpires(slot, due[slot])
			s.setUsed(slot, used[slot])
		}
		remove := func(slot int32) {
			s.remove(slot)
			delete(due, slot)
			delete(used, slot)
		}
		for range 2000 {
			slot := int32(rng.IntN(300))
			_, there := due[slot]
			switch {
			case !there:
				slot = s.add()
				s.setVersion(slot, 1)
				s.setPlace(slot, 0)
				set(slot)
			case rng.IntN(2) == 0:
				set(slot)
			case rng.IntN(8) == 0:
				s.firstDue()
				s.leastUsed(none)
			default:
				remove(slot)
			}
		}
		least := func(of map[int32]int64, except int32) int64 {
			least := int64(never)
			for slot, at := range of {
				if slot != except {
					least = min(least, at)
				}
			}
			return least
		}
		var slot int32
		for slot = range used {
			if _, at := s.leastUsed(slot); at != least(used, slot) {
				t.Fatalf("seed %d: the least recently used other than %d was used at %d, want %d", seed, slot, at, least(used, slot))
			}
		}
		for len(used) > 0 {
			if first, at := s.firstDue(); at != least(due, none) || first != none && due[first] != at {
				t.Fatalf("seed %d: first due is %d at %d, want %d", seed, first, at, least(due, none))
			}
			slot, at := s.leastUsed(none)
			if at != least(used, none) || used[slot] != at {
				t.Fatalf("seed %d: least used is %d at %d, want %d", seed, slot, at, least(used, none))
			}
			remove(slot)
		}
		s.release()
	}
}

// A table finds what was added and not removed, also if many have one hash, or hashes that
// differ in few bits.
func TestTableFindsAll(t *testing.T) {
	t.Parallel()
	var memory arena.Arena
	defer memory.Close()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 8))
		table := table{arena: &memory}
		hashes := map[int32]uint64{}
		span := []int32{100, 5000, 20_000}[seed%3]
		if seed%4 < 2 {
			span = min(span, 1000) // each search for one of a hash passes all of them
		}
		hash := func() uint64 {
			switch seed % 4 {
			case 0:
				return uint64(rng.IntN(3)) << 62
			case 1:
				return uint64(rng.IntN(300)) << 40
			}
			return rng.Uint64()
		}
		for range 4 * span {
			slot := rng.Int32N(span)
			h, there := hashes[slot]
			switch {
			case !there:
				hashes[slot] = hash()
				table.add(hashes[slot], slot)
			case rng.IntN(4) == 0:
				to := rng.Int32N(span)
				if _, taken := hashes[to]; !taken {
					table.renumber(h, slot, to)
					hashes[to] = h
					delete(hashes, slot)
				}
			default:
				table.remove(h, slot)
				delete(hashes, slot)
			}
		}
		if int(table.n) != len(hashes) {
			t.Fatalf("seed %d: %d entries, want %d", seed, table.n, len(hashes))
		}
		checked := 0
		for slot, h := range hashes {
			var found []int32
			p := table.probe(h)
			for s := table.next(&p); s != none; s = table.next(&p) {
				found = append(found, s)
			}
			if !slices.Contains(found, slot) {
				t.Fatalf("seed %d: slot %d is not found", seed, slot)
			}
			if checked++; checked > 500 {
				break
			}
		}
		for slot, h := range hashes {
			table.remove(h, slot)
		}
		if table.n != 0 || table.total > leastSize {
			t.Errorf("seed %d: %d entries and %d positions when all were removed", seed, table.n, table.total)
		}
		table.free()
	}
	if memory.InUse() != 0 {
		t.Errorf("%d segments are in use after all", memory.InUse())
	}
}
