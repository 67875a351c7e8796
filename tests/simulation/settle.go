package simulation

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// event records an event of a node's manager.
func (h *history) event(e session.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Kind {
	case session.EventRenewed:
		h.former[e.Digest] = e.Former
	case session.EventDestroyed, session.EventRegenerated, session.EventRevoked, session.EventExpired:
		h.ends[e.Digest] = append(h.ends[e.Digest], string(e.Kind))
	}
}

// settle checks the final state, when the network works again. Its node has no cache.
func (h *history) settle(n *node, browsers []*browser, all []store.Record) {
	for _, b := range browsers {
		h.settleBrowser(n, b)
	}
	h.settleOldIDs(n)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settleStore(all)
	for _, l := range h.inOrder() {
		h.settleStreams(l)
		h.settleEvents(l)
	}
}

// calm makes a visit over a network that works.
func calm(n *node, cookie string) *trip {
	t := &trip{path: "/read", node: n, cookie: cookie, asked: time.Now()}
	t.visit()
	return t
}

// settleBrowser checks that a user is in the session that the user expects, and that a browser
// whose response with a new id was lost gets that id.
func (h *history) settleBrowser(n *node, b *browser) {
	l := h.lives[b.life]
	if l == nil || l.ending {
		return
	}
	cookie := b.jar.header(page)
	t := calm(n, cookie)
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.seen.life != l.number {
		h.broken("life %d is gone at the end, and nobody ended it: the browser reads %d", l.number, t.seen.life)
		return
	}
	missed := false
	for i, c := range l.cookies {
		if c.cookie == cookie {
			missed = i+1 < len(l.cookies) && !sent(l.cookies[i+1:])
		}
	}
	if missed && t.given() == "" {
		h.broken("life %d has a new id, and the browser does not get it", l.number)
	}
	h.issue(t, 0)
}

func sent(cookies []*issue) bool {
	for _, c := range cookies {
		if c.sent {
			return true
		}
	}
	return false
}

// settleOldIDs checks that a session is found by one id only, when every browser has its new id and
// the grace period is over.
func (h *history) settleOldIDs(n *node) {
	for range 2 {
		for _, l := range h.inOrder() {
			var answering []string
			for i := 0; i < len(l.cookies); i++ { // there may be more by then
				t := calm(n, l.cookies[i].cookie)
				h.mu.Lock()
				h.issue(t, 0)
				switch {
				case t.seen.life == 0:
				case t.seen.life != l.number:
					h.broken("a cookie of life %d leads to life %d", l.number, t.seen.life)
				case l.ended != nil:
					h.broken("life %d lives again at the end", l.number)
				default:
					answering = append(answering, l.cookies[i].cookie)
				}
				h.mu.Unlock()
			}
			l.answering = len(answering)
		}
		time.Sleep(2 * grace)
	}
	for _, l := range h.inOrder() {
		if l.answering > 1 {
			h.broken("life %d answers to an old id when the grace is over", l.number)
		}
	}
}

// settleStore checks that no acknowledged change is lost, and that the store has no ended sessions.
func (h *history) settleStore(all []store.Record) {
	in := map[int]map[int]bool{}
	for _, r := range all {
		var d data
		if over(r.Data) || json.Unmarshal(r.Data, &d) != nil {
			continue
		}
		if l := h.lives[d.Life]; l != nil && l.ended != nil && !l.spare {
			h.broken("life %d has ended, and there is a record of it", d.Life)
		}
		if in[d.Line] == nil {
			in[d.Line] = map[int]bool{}
		}
		for _, i := range d.Items {
			in[d.Line][i] = true
		}
	}
	for number := range len(h.lives) + 1 {
		n := h.lines[number]
		if n == nil || n.ending {
			continue
		}
		for _, i := range n.acked {
			if !in[number][i.number] {
				h.broken("line %d: the change %d was acknowledged at %v, and is lost; want it in a session", number, i.number, i.at.Sub(h.began))
			}
		}
	}
}

func (h *history) settleStreams(l *life) {
	for _, f := range l.streams {
		switch {
		case l.ended == nil:
		case f.ended.IsZero():
			h.broken("life %d has ended, and its stream on node %d has not", l.number, f.node)
		case f.ended.After(latest(l.ended.at, f.since).Add(recheck + 10*time.Second)):
			h.broken("life %d ended at %v, and its stream on node %d at %v", l.number, l.ended.at.Sub(h.began), f.node, f.ended.Sub(h.began))
		}
	}
}

// rootOf is the digest that a session had before its renewals.
func (h *history) rootOf(digest string) string {
	for h.former[digest] != "" {
		digest = h.former[digest]
	}
	return digest
}

// seenByAny reports whether a request has seen the session that had this digest first.
func (h *history) seenByAny(root string) bool {
	for _, l := range h.lives {
		for d := range l.digests {
			if h.rootOf(d) == root {
				return true
			}
		}
	}
	return false
}

// settleEvents checks that the end of a session was reported once, and with the right reason.
func (h *history) settleEvents(l *life) {
	roots := map[string]bool{}
	for d := range l.digests {
		if d != "" {
			roots[h.rootOf(d)] = true
		}
	}
	var told []string
	unknown := false // an event names the end of a record that a failed move has left, under an id that nobody got
	for d, kinds := range h.ends {
		if roots[h.rootOf(d)] {
			told = append(told, kinds...)
		} else if !h.seenByAny(h.rootOf(d)) {
			unknown = unknown || slices.ContainsFunc(kinds, func(kind string) bool { return l.ends[session.EventKind(kind)] })
		}
	}
	for _, kind := range told {
		if !l.ends[session.EventKind(kind)] {
			h.broken("life %d: an event says %q, which nobody asked for", l.number, kind)
		}
	}
	switch {
	case l.shaky || len(roots) == 0:
	case len(told) > 1:
		h.broken("life %d has ended once, and events say: %s", l.number, strings.Join(told, ", "))
	case len(told) == 0 && l.ended != nil && !l.silent && !(l.spare && unknown):
		h.broken("life %d has ended, and no event says so", l.number)
	}
}
