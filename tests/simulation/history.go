package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nestsession/session"
)

// history is what responses said, and which promises that breaks.
type history struct {
	mu    sync.Mutex
	began time.Time
	wrong []string
	trace []string

	lives  map[int]*life
	lines  map[int]*line
	items  map[int]int         // the line of each acknowledged change
	issued map[string]*issue   // by cookie
	ends   map[string][]string // the ends that events have reported, by digest
	former map[string]string   // digests before a renewal

	revoking map[int]int // by user: how many revocations of all sessions are in progress
}

func newHistory() *history {
	return &history{
		began: time.Now(), lives: map[int]*life{}, lines: map[int]*line{}, items: map[int]int{}, issued: map[string]*issue{},
		ends: map[string][]string{}, former: map[string]string{}, revoking: map[int]int{},
	}
}

// nobody is the user of an anonymous session.
const nobody = -1

// life is the life of a session: of an anonymous one, or of one from a login on.
type life struct {
	number  int
	visitor bool
	user    int
	browser int
	line    int       // as far as responses have said
	before  int       // the life whose data a login has taken over
	since   time.Time // when the response to its beginning was sent
	known   bool      // and that response has arrived
	ended   *moment   // its end was acknowledged
	ending  bool      // a request has tried to end it
	drops   bool      // and its data with it
	cookies []*issue  // all ids it has had
	streams []*following

	ends    map[session.EventKind]bool // the reasons that an event of its end may have
	silent  bool                       // its end may have no event: a login may have taken over everything
	shaky   bool                       // the store has failed, so it is not known whether it was ended
	spare   bool                       // the store may have a record whose id no response has named, after a renewal that failed
	digests map[string]bool

	answering int // how many of its cookies lead to it at the end
}

// issue is a cookie that a response has set.
type issue struct {
	life   int
	cookie string
	sent   bool      // a request has sent it
	seen   time.Time // when a request with it was answered whose writes had succeeded
}

type moment struct {
	at   time.Time
	node int
}

// following is an open stream.
type following struct {
	node  int
	since time.Time
	ended time.Time
	cause error
}

func (h *history) broken(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf("%v: ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

func (h *history) note(format string, args ...any) {
	h.trace = append(h.trace, fmt.Sprintf("%v: ", time.Since(h.began))+fmt.Sprintf(format, args...))
}

// begin returns the number for what a request may begin.
func (h *history) begin(l *life) int {
	l.number = len(h.lives) + 1
	l.ends, l.digests = map[session.EventKind]bool{}, map[string]bool{}
	h.lives[l.number] = l
	return l.number
}

func (h *history) inOrder() []*life {
	return slices.SortedFunc(maps.Values(h.lives), func(a, b *life) int { return a.number - b.number })
}

// userOf returns the user of the session that a request's cookie names.
func (h *history) userOf(t *trip) int {
	if c := h.issued[t.cookie]; c != nil {
		return h.lives[c.life].user
	}
	return nobody
}

// leaving records that a request will end the session that it comes with, and drop or take over its
// data.
func (h *history) leaving(t *trip, drops bool, kind session.EventKind) {
	lives := []int{t.life}
	if c := h.issued[t.cookie]; c != nil && c.life != t.life {
		lives = append(lives, c.life)
	}
	for _, number := range lives {
		if l := h.lives[number]; l != nil {
			h.leave(l, drops, kind)
		}
	}
	if c := h.issued[t.cookie]; c != nil && kind == session.EventRegenerated {
		t.line = h.lineOf(h.lives[c.life].line)
		t.line.enter()
	}
}

func (h *history) leave(l *life, drops bool, kind session.EventKind) {
	l.ending = true
	if drops {
		l.ends[kind], l.drops = true, true
		h.lineOf(l.line).ending = true
	} else {
		l.silent = true
	}
}

// goesOnAs notes the line that a session was seen to have. It is another one than was
// expected if the session that a login came with had ended by then.
func (h *history) goesOnAs(l *life, line int) {
	if l.line = line; l.drops {
		h.lineOf(line).ending = true
	}
}

// lag is how long a node may not know what another has done.
func lag(done, seen moment) time.Duration {
	if done.node == seen.node {
		return 0
	}
	return maxStale
}

func (l *life) end(at moment) {
	if l.ending = true; l.ended == nil {
		l.ended = &at
	}
}

// ended reports whether it is this request that has ended the session that it saw.
func (h *history) ended(t *trip) bool {
	l := h.lives[t.seen.life]
	return l != nil && l.ended != nil && slices.ContainsFunc(t.writes, func(w write) bool { return w.decides })
}

// follow records a stream, whose session was read just now.
func (h *history) follow(number, node int, cookie string, ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.issued[cookie]; c != nil {
		number = c.life
	}
	f := &following{node: node, since: time.Now()}
	h.lives[number].streams = append(h.lives[number].streams, f)
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		f.ended, f.cause = time.Now(), context.Cause(ctx)
		if l := h.lives[number]; !l.ending && !errors.Is(f.cause, session.ErrClosed) {
			h.broken("life %d goes on, and its stream on node %d ended: %v", number, node, f.cause)
		}
	})
}
