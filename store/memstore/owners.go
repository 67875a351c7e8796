package memstore

// chain is the list of an owner's entries in one shard, in the order in which
// they came to the owner. ownerSeq grows along it.
type chain struct {
	head, tail *entry
}

func (sh *shard) joinOwner(e *entry) {
	owner := e.rec.Owner
	if owner == "" {
		return
	}
	if sh.owners == nil {
		sh.owners = make(map[string]chain)
	}
	c := sh.owners[owner]
	sh.seq++
	e.ownerSeq = sh.seq
	e.ownerPrev = c.tail
	if c.tail != nil {
		c.tail.ownerNext = e
	} else {
		c.head = e
	}
	c.tail = e
	sh.owners[owner] = c
}

func (sh *shard) leaveOwner(e *entry) {
	owner := e.rec.Owner
	if owner == "" {
		return
	}
	c := sh.owners[owner]
	if e.ownerPrev != nil {
		e.ownerPrev.ownerNext = e.ownerNext
	} else {
		c.head = e.ownerNext
	}
	if e.ownerNext != nil {
		e.ownerNext.ownerPrev = e.ownerPrev
	} else {
		c.tail = e.ownerPrev
	}
	e.ownerNext, e.ownerPrev, e.ownerSeq = nil, nil, 0
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
	if last != nil && last.ownerSeq == seq {
		return last.ownerNext
	}
	e := sh.owners[owner].head
	for e != nil && e.ownerSeq <= seq {
		e = e.ownerNext
	}
	return e
}
