package memstore

// chain is the list of an owner's entries in one shard, in the order in which
// they came to the owner. more.seq grows along it.
type chain struct {
	head, tail *entry
}

func (sh *shard) joinOwner(e *entry) {
	owner := e.owner()
	if owner == "" {
		return
	}
	if sh.owners == nil {
		sh.owners = make(map[string]chain)
	}
	c := sh.owners[owner]
	sh.seq++
	e.more.seq = sh.seq
	e.more.prev = c.tail
	if c.tail != nil {
		c.tail.more.next = e
	} else {
		c.head = e
	}
	c.tail = e
	sh.owners[owner] = c
}

func (sh *shard) leaveOwner(e *entry) {
	owner := e.owner()
	if owner == "" {
		return
	}
	c := sh.owners[owner]
	m := e.more
	if m.prev != nil {
		m.prev.more.next = m.next
	} else {
		c.head = m.next
	}
	if m.next != nil {
		m.next.more.prev = m.prev
	} else {
		c.tail = m.prev
	}
	m.next, m.prev, m.seq = nil, nil, 0
	if c.head == nil {
		delete(sh.owners, owner)
	} else {
		sh.owners[owner] = c
	}
}

// ownedAfter is the owner's first entry that came after the one with number seq.
// last is that one, if there is one: as long as it is the owner's still, nothing
// has to be searched.
func (sh *shard) ownedAfter(owner string, last *entry, seq uint64) *entry {
	if last != nil && last.more != nil && last.more.seq == seq {
		return last.more.next
	}
	e := sh.owners[owner].head
	for e != nil && e.more.seq <= seq {
		e = e.more.next
	}
	return e
}
