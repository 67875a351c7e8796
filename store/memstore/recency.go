package memstore

// recency is the order of use: a list from the most to the least recently used entry. Its
// links are slot numbers in an array. To move an entry to the front changes four elements of
// that array, and not the neighbouring entries, each of which would be a cache miss.
type recency struct {
	links      []link
	head, tail int32 // slots; none if the list is empty
}

type link struct {
	newer, older int32
}

// none means no slot.
const none = -1

func (l *recency) init() {
	*l = recency{head: none, tail: none}
}

func (l *recency) push(slot int32) {
	for int(slot) >= len(l.links) {
		l.links = append(l.links, link{})
	}
	l.links[slot] = link{newer: none, older: l.head}
	if l.head != none {
		l.links[l.head].newer = slot
	} else {
		l.tail = slot
	}
	l.head = slot
}

func (l *recency) remove(slot int32) {
	at := l.links[slot]
	if at.newer != none {
		l.links[at.newer].older = at.older
	} else {
		l.head = at.older
	}
	if at.older != none {
		l.links[at.older].newer = at.newer
	} else {
		l.tail = at.newer
	}
}

func (l *recency) toFront(slot int32) {
	if l.head != slot {
		l.remove(slot)
		l.push(slot)
	}
}
