// Package line lets calls to a server go together that come while others are on their
// way: the more callers there are, the fewer times the server is asked, and that is most
// of what a call costs it and us. A call that comes alone goes at once.
package line

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"
)

// Patience is what a zero [Line.Patience] stands for.
const Patience = 20 * time.Millisecond

// Line is where calls wait for their turn. What T holds is a question and its answer.
// The zero value with Send, Trips and Together set is ready for use.
type Line[T any] struct {
	// Send makes a trip: it puts to each question its answer. The context ends when nobody
	// waits for any of them.
	Send func(ctx context.Context, questions []*T)

	// Alone, if it is not nil, sees to a call that comes while less than Trips are on
	// their way, in the caller's goroutine. It returns when ctx ends.
	Alone func(ctx context.Context, question *T)

	// Trips is how many are on their way. While one is, the next is got ready.
	Trips int

	// Patience is how long calls wait for one of them to come back. Then they go all the
	// same: those on their way may be on a connection that is dead. 0: [Patience].
	Patience time.Duration

	// Together is how many calls make a trip at most, so that the first does not wait for
	// thousands of others.
	Together int

	mu      sync.Mutex
	waiting []*call[T]
	trips   int  // on their way
	left    int  // how many trips have left
	crowded bool // those who came last were not alone
	clock   *time.Timer
	ticking bool
	seen    int // left when the clock was set
	free    sync.Pool
}

// call is one that waits for its turn, or for its answer.
type call[T any] struct {
	value T
	ctx   context.Context
	done  chan struct{}
	trip  *trip[T] // under the line's lock
	left  bool     // nobody waits any more; under the line's lock
}

// trip is some calls on their way together.
type trip[T any] struct {
	ctx       context.Context
	cancel    context.CancelFunc
	calls     []*call[T]
	questions []*T // the calls'
	left      int  // of the calls, under the line's lock
}

// Do returns what became of the question, or false if ctx ended first: whether it was
// asked is not known then.
func (l *Line[T]) Do(ctx context.Context, question T) (answered T, ok bool) {
	l.mu.Lock()
	goes := l.trips < l.Trips
	if goes {
		l.trips++
	}
	if goes && l.Alone != nil {
		if l.trips > 1 || l.crowded {
			l.mu.Unlock()
			runtime.Gosched() // as in run; it costs a lone caller some microseconds
			l.mu.Lock()
		}
		if l.crowded = len(l.waiting) > 0; !l.crowded {
			l.mu.Unlock()
			defer l.back()
			l.Alone(ctx, &question)
			return question, true
		}
	}
	c, _ := l.free.Get().(*call[T])
	if c == nil {
		c = &call[T]{done: make(chan struct{}, 1)}
	}
	c.value, c.ctx = question, ctx
	l.waiting = append(l.waiting, c)
	if !goes && !l.ticking {
		l.tick()
	}
	l.mu.Unlock()
	if goes {
		go l.run()
	}
	select {
	case <-c.done:
		answered = c.value
		*c = call[T]{done: c.done}
		l.free.Put(c)
		return answered, true
	case <-ctx.Done():
		l.leave(c) // and is not used again: it may yet be answered
		return answered, false
	}
}

// Waiting is how many calls wait for their turn. It is for tests.
func (l *Line[T]) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// tick sets the clock. It is called with the lock.
func (l *Line[T]) tick() {
	l.ticking, l.seen = true, l.left
	if l.clock == nil {
		l.clock = time.AfterFunc(cmp.Or(l.Patience, Patience), l.late)
		return
	}
	l.clock.Reset(cmp.Or(l.Patience, Patience))
}

// late sends those that wait if none has left since the clock was set.
func (l *Line[T]) late() {
	l.mu.Lock()
	l.ticking = false
	late := len(l.waiting) > 0
	if late {
		if late = l.left == l.seen; late {
			l.trips++
		}
		l.tick()
	}
	l.mu.Unlock()
	if late {
		l.run()
	}
}

// leave takes the call back, if it has not been sent. A trip for which nobody waits is
// broken off.
func (l *Line[T]) leave(c *call[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.left = true
	if t := c.trip; t != nil {
		if t.left++; t.left == len(t.calls) {
			t.cancel()
		}
	}
}

// back is the end of a trip that the caller made himself.
func (l *Line[T]) back() {
	if t := l.next(); t != nil {
		go func() {
			l.trip(t)
			l.run()
		}()
	}
}

// next is a trip with those who wait, or nil, and then there is one less on its way.
func (l *Line[T]) next() *trip[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t trip[T]
	taken := 0
	for _, c := range l.waiting {
		if len(t.calls) == l.Together {
			break
		}
		taken++
		if !c.left {
			c.trip = &t
			t.calls, t.questions = append(t.calls, c), append(t.questions, &c.value)
		}
	}
	rest := copy(l.waiting, l.waiting[taken:])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
	if len(t.calls) == 0 {
		l.trips--
		return nil
	}
	l.left++
	l.crowded = len(t.calls) > 1
	// A tracer that looks for its own in the context sees the first caller's.
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(t.calls[0].ctx))
	return &t
}

// run makes trips until nobody waits. First it lets others go on who can: those who were
// answered just now may well have the next question, and would else go one by one.
func (l *Line[T]) run() {
	for {
		runtime.Gosched()
		t := l.next()
		if t == nil {
			return
		}
		l.trip(t)
	}
}

func (l *Line[T]) trip(t *trip[T]) {
	l.Send(t.ctx, t.questions)
	for _, c := range t.calls {
		c.done <- struct{}{}
	}
	t.cancel()
}
