package simulation

import (
	"slices"
	"time"

	"github.com/nestsession/session"
)

// answered compares a response, when it is sent, with what it must be, and records what it says.
func (h *history) answered(b *browser, t *trip) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := moment{time.Now(), t.node.index}
	if c := h.issued[t.cookie]; c != nil {
		// A login stores the name by a second write, which a cache may not have yet.
		l := h.lives[c.life]
		if t.seen.life != 0 && t.seen.life == l.before && t.asked.Before(l.since.Add(maxStale)) {
			t.seen.life = c.life
		}
	}
	got := t.seen.life
	h.note("browser %d, node %d: %s of life %d since %v: %d, life %d, line %d, items %v, cookie %t, wrote %v",
		b.number, t.node.index, t.path, t.life, t.asked.Sub(h.began), t.status, got, t.seen.line, t.seen.items, t.given() != "", t.wrote().Sub(h.began))
	h.read(b, t)
	if l := h.lives[t.life]; l != nil && t.seen.ran && got != t.life && !l.ending && l.known {
		h.broken("life %d is gone, and nobody ended it: %s on node %d read %d", t.life, t.path, t.node.index, got)
	}
	began := 0
	if t.ok() {
		began = t.began()
	}
	h.issue(t, max(began, 0))
	l := h.lives[got]
	if l != nil {
		l.digests[t.seen.digest] = true
	}
	if c := h.issued[t.cookie]; c != nil && t.failed && (t.is("/renew") || t.is("/login")) {
		h.lives[c.life].spare = true
	}
	if c := h.issued[t.cookie]; c != nil && t.failed && (t.is("/login") || t.is("/regenerate") || t.is("/logout")) {
		h.lives[c.life].shaky = true
	}
	if !t.ok() {
		return
	}
	if began != 0 {
		h.lives[began].since = now.at
		if t.given() == "" && !h.lives[began].ending {
			h.broken("life %d began on node %d without a cookie", began, t.node.index)
		}
	}
	switch {
	case t.is("/add"):
		h.added(t, now)
	case t.is("/logout"):
		l.end(now)
	case t.is("/login"), t.is("/regenerate"):
		h.lives[began].line = began
		if l != nil {
			l.end(now)
			if t.is("/login") && (l.user == nobody || l.user == h.lives[began].user) {
				h.lives[began].line, h.lives[began].before = t.seen.line, got
			}
		}
		if t.line != nil {
			t.line.entering--
		}
	}
}

// issue records the cookie that a response sets, and what the request's own cookie led to.
func (h *history) issue(t *trip, began int) {
	if c := h.issued[t.cookie]; c != nil {
		c.sent = true
		if t.ok() && t.seen.life == c.life && len(t.writes) > 0 && !t.failed && c.seen.IsZero() {
			c.seen = time.Now()
		}
	}
	number := began
	if number == 0 {
		number = t.seen.life
	}
	cookie := t.given()
	if l := h.lives[number]; cookie != "" && l != nil && h.issued[cookie] == nil {
		c := &issue{life: number, cookie: cookie}
		h.issued[cookie] = c
		l.cookies = append(l.cookies, c)
	}
}

// read compares what a request read with what it must have read.
func (h *history) read(b *browser, t *trip) {
	got := t.seen.life
	if got == 0 {
		return
	}
	at := moment{t.asked, t.node.index}
	l := h.lives[got]
	if l == nil || l.browser != b.number {
		h.broken("browser %d is in the session of life %d", b.number, got)
		return
	}
	c := h.issued[t.cookie]
	if c == nil || c.life != got {
		h.broken("an old id, or none of the session's, reads life %d on node %d", got, at.node)
	}
	if e := l.ended; e != nil && at.at.After(e.at.Add(lag(*e, at))) {
		h.broken("life %d, which ended on node %d at %v, is known on node %d to a request of %v", got, e.node, e.at.Sub(h.began), at.node, at.at.Sub(h.began))
	}
	if c != nil {
		for _, newer := range l.cookies[slices.Index(l.cookies, c)+1:] {
			if !newer.seen.IsZero() && at.at.After(newer.seen.Add(grace+maxStale)) {
				h.broken("life %d answers to an old id on node %d when the grace is over", got, at.node)
			}
		}
	}
	h.goesOnAs(l, t.seen.line)
	h.readLine(b, t, at)
}

// reasons are the reasons in the events of sessions that a request ends.
var reasons = map[string]session.EventKind{
	"/login": session.EventRegenerated, "/regenerate": session.EventRegenerated, "/logout": session.EventDestroyed,
}
