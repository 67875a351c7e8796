package memstore

// expiries orders slots by when their records expire, so that a sweep reads only expired
// records. It is a heap with four children a node, which is less deep than one with two and
// causes fewer cache misses. All values that it compares are in two arrays, so that it does
// not follow pointers to the records.
type expiries struct {
	heap []due
	at   []int32 // where in the heap each slot is
}

type due struct {
	time int64
	slot int32
}

const children = 4

// first returns the earliest expiry, or never.
func (x *expiries) first() int64 {
	if len(x.heap) == 0 {
		return never
	}
	return x.heap[0].time
}

func (x *expiries) add(slot int32, time int64) {
	for int(slot) >= len(x.at) {
		x.at = append(x.at, none)
	}
	x.heap = append(x.heap, due{})
	x.up(len(x.heap)-1, due{time, slot})
}

// move changes the expiry of the slot.
func (x *expiries) move(slot int32, time int64) {
	i := int(x.at[slot])
	if time < x.heap[i].time {
		x.up(i, due{time, slot})
	} else {
		x.down(i, due{time, slot})
	}
}

func (x *expiries) remove(slot int32) {
	i, last := int(x.at[slot]), len(x.heap)-1
	moved, gone := x.heap[last], x.heap[i]
	x.heap = x.heap[:last]
	switch {
	case i == last:
	case moved.time < gone.time:
		x.up(i, moved)
	default:
		x.down(i, moved)
	}
}

// up puts d at i or nearer to the top.
func (x *expiries) up(i int, d due) {
	for i > 0 {
		parent := (i - 1) / children
		if x.heap[parent].time <= d.time {
			break
		}
		x.set(i, x.heap[parent])
		i = parent
	}
	x.set(i, d)
}

// down puts d at i or further from the top.
func (x *expiries) down(i int, d due) {
	for {
		first := i*children + 1
		if first >= len(x.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+children, len(x.heap)); c++ {
			if x.heap[c].time < x.heap[least].time {
				least = c
			}
		}
		if x.heap[least].time >= d.time {
			break
		}
		x.set(i, x.heap[least])
		i = least
	}
	x.set(i, d)
}

func (x *expiries) set(i int, d due) {
	x.heap[i] = d
	x.at[d.slot] = int32(i)
}
