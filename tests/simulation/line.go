package simulation

import "time"

// line is the items that pass from an anonymous session to that of a login, and to later logins of
// the same user.
type line struct {
	acked    []item
	ending   bool // a request has tried to end it
	entering int  // logins in progress, or with an unknown result
	forked   bool // there were several logins: each has the items from its beginning
}

// item is an item in the session.
type item struct {
	number int
	moment
}

func (n *line) enter() {
	if n.entering++; n.entering > 1 {
		n.forked = true
	}
}

func (h *history) lineOf(number int) *line {
	n := h.lines[number]
	if n == nil {
		n = &line{}
		h.lines[number] = n
	}
	return n
}

// added records an acknowledged change.
func (h *history) added(t *trip, done moment) {
	number := t.number()
	l := h.lives[t.seen.life]
	if l == nil {
		l = h.lives[number]
		l.line = number
	}
	if e := l.ended; e != nil && t.asked.After(e.at) && !(l.silent && t.asked.Before(e.at.Add(lag(*e, done)))) { // a login takes over the changes of a session that does not know of the login yet
		h.broken("life %d has ended, and was changed on node %d", l.number, done.node)
	}
	if !l.visitor || t.seen.life != 0 {
		h.goesOnAs(l, t.seen.line)
	}
	n := h.lineOf(l.line)
	n.acked = append(n.acked, item{number, done})
	h.items[number] = l.line
}

// readLine compares the items in a session with those that must be there.
func (h *history) readLine(b *browser, t *trip, at moment) {
	n := h.lineOf(t.seen.line)
	in := map[int]bool{}
	for _, i := range t.seen.items {
		if in[i] {
			h.broken("line %d has the change %d twice", t.seen.line, i)
		}
		in[i] = true
		of, acked := h.items[i]
		if l := h.lives[i]; l == nil || l.browser != b.number || acked && of != t.seen.line {
			h.broken("line %d has the change %d, which is another's", t.seen.line, i)
		}
	}
	if n.forked {
		return
	}
	for _, i := range n.acked {
		if !in[i.number] && t.asked.After(i.at.Add(lag(i.moment, at))) {
			h.broken("line %d on node %d: a request of %v read %v, want the change %d of %v in it",
				t.seen.line, at.node, t.asked.Sub(h.began), t.seen.items, i.number, i.at.Sub(h.began))
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
