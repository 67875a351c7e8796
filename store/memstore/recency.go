package memstore

// recency is the order of use: head is the most recently used.
type recency struct {
	head, tail *entry
}

// oldest is when the least recently used one was used, or never.
func (l *recency) oldest() int64 {
	if l.tail == nil {
		return never
	}
	return l.tail.used
}

func (l *recency) push(e *entry) {
	e.newer, e.older = nil, l.head
	if l.head != nil {
		l.head.newer = e
	} else {
		l.tail = e
	}
	l.head = e
}

func (l *recency) remove(e *entry) {
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		l.head = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		l.tail = e.newer
	}
	e.newer, e.older = nil, nil
}

func (l *recency) toFront(e *entry) {
	if l.head != e {
		l.remove(e)
		l.push(e)
	}
}
