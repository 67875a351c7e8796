package memstore

// chain is the list of an owner's entries in one shard, in the order in which they were
// added, which is the order of more.seq.
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

// ownedAfter returns the owner's first entry after the one with the number seq. last is that
// entry, if there is one: if it still belongs to the owner, there is nothing to search.
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
