package memstore

// expiries orders entries by when they expire, so that a sweep meets expired ones
// alone. It is a heap of four children a node, which is shallower and kinder to
// the cache than one of two. The expiry stands beside the pointer, so that
// ordering does not follow it.
type expiries struct {
	heap []dueEntry
}

type dueEntry struct {
	at int64
	e  *entry
}

const children = 4

// first is the earliest expiry, or never.
func (x *expiries) first() int64 {
	if len(x.heap) == 0 {
		return never
	}
	return x.heap[0].at
}

func (x *expiries) add(e *entry) {
	x.heap = append(x.heap, dueEntry{})
	x.up(len(x.heap)-1, dueEntry{e.expires, e})
}

// move puts e where its changed expiry belongs.
func (x *expiries) move(e *entry) {
	i := int(e.due)
	d := dueEntry{e.expires, e}
	if e.expires < x.heap[i].at {
		x.up(i, d)
	} else {
		x.down(i, d)
	}
}

func (x *expiries) remove(i int) {
	last := len(x.heap) - 1
	moved, gone := x.heap[last], x.heap[i].at
	x.heap[last] = dueEntry{}
	x.heap = x.heap[:last]
	if i == last {
		return
	}
	if moved.at < gone {
		x.up(i, moved)
	} else {
		x.down(i, moved)
	}
}

// up places d at i or nearer to the top.
func (x *expiries) up(i int, d dueEntry) {
	for i > 0 {
		parent := (i - 1) / children
		if x.heap[parent].at <= d.at {
			break
		}
		x.set(i, x.heap[parent])
		i = parent
	}
	x.set(i, d)
}

// down places d at i or further from the top.
func (x *expiries) down(i int, d dueEntry) {
	for {
		first := i*children + 1
		if first >= len(x.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+children, len(x.heap)); c++ {
			if x.heap[c].at < x.heap[least].at {
				least = c
			}
		}
		if x.heap[least].at >= d.at {
			break
		}
		x.set(i, x.heap[least])
		i = least
	}
	x.set(i, d)
}

func (x *expiries) set(i int, d dueEntry) {
	x.heap[i] = d
	d.e.due = int32(i)
}
