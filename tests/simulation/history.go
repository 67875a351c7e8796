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

// history is what was answered to whom, and what that says of the promises.
type history struct {
	mu    sync.Mutex
	began time.Time
	wrong []string
	trace []string

	lives  map[int]*life
	lines  map[int]*line
	items  map[int]int         // the line of each change that was acknowledged
	issued map[string]*issue   // by the cookie
	ends   map[string][]string // what events say of ends, by digest
	former map[string]string   // digests before a renewal

	revoking map[int]int // by user: how many logouts everywhere are under way
}

func newHistory() *history {
	return &history{
		began: time.Now(), lives: map[int]*life{}, lines: map[int]*line{}, items: map[int]int{}, issued: map[string]*issue{},
		ends: map[string][]string{}, former: map[string]string{}, revoking: map[int]int{},
	}
}

// nobody is the user of a visitor's session.
const nobody = -1

// life is that of a session: a visitor's, or one from a login on.
type life struct {
	number  int
	visitor bool
	user    int
	browser int
	line    int       // as far as it is known
	before  int       // the life that a login has taken over
	since   time.Time // when its beginning was answered
	known   bool      // and the answer has arrived
	ended   *moment   // its end, acknowledged
	ending  bool      // somebody has tried to end it
	drops   bool      // and its data with it
	cookies []*issue  // all it ever had
	streams []*following

	ends    map[session.EventKind]bool // that may report it
	silent  bool                       // its end may have been none that is told: a login that took everything over
	shaky   bool                       // the store has failed to say whether it was ended
	spare   bool                       // the store may have a record whose id nobody was given: of a move that failed
	digests map[string]bool

	answering int // how many of its cookies lead to it at the end
}

// issue is a cookie that an answer has brought.
type issue struct {
	life   int
	cookie string
	sent   bool      // a request has come with it
	seen   time.Time // when one was answered whose writes were done
}

type moment struct {
	at   time.Time
	node int
}

// following is a stream that is open.
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

// begin gives what a request may begin its number.
func (h *history) begin(l *life) int {
	l.number = len(h.lives) + 1
	l.ends, l.digests = map[session.EventKind]bool{}, map[string]bool{}
	h.lives[l.number] = l
	return l.number
}

func (h *history) inOrder() []*life {
	return slices.SortedFunc(maps.Values(h.lives), func(a, b *life) int { return a.number - b.number })
}

// userOf is whose session a request's cookie names.
func (h *history) userOf(t *trip) int {
	if c := h.issued[t.cookie]; c != nil {
		return h.lives[c.life].user
	}
	return nobody
}

// leaving notes that a request is to end the session that it comes with. It drops the
// data, or takes them over.
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

// lag is for how long a node may not know what another has done.
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

// follow watches a stream, whose session was read a moment ago.
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
