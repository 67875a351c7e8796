// Package batch combines concurrent calls to a server into one round trip. A round trip
// is most of what a call costs, so a busy store makes fewer of them. A call that arrives
// while few others are in flight is sent at once.
package batch

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// DefaultMaxDelay is what a zero [Queue.MaxDelay] stands for.
const DefaultMaxDelay = 20 * time.Millisecond

// watchEvery is how often the contexts of calls that have begun to wait are watched. To
// watch a context costs as much as the rest of what a call in a batch costs its caller, and
// nearly all calls are answered before.
const watchEvery = 10 * time.Millisecond

// Queue holds the calls that wait to be sent. A T holds the question and the answer of a call. The
// zero value with Send, MaxInFlight and MaxCalls set is ready for use.
type Queue[T any] struct {
	// Send makes one round trip: it stores the answer to each question. The context is
	// canceled when no caller waits for an answer any more.
	Send func(ctx context.Context, questions []*T)

	// Unbatched, if it is not nil, answers a call that arrives while fewer than MaxInFlight
	// batches are in flight, in the caller's goroutine. It returns when ctx ends. If it
	// returns false it has not answered, and the call is sent by Send.
	Unbatched func(ctx context.Context, question *T) (answered bool)

	// MaxInFlight is how many batches may be in flight. The next one fills meanwhile.
	MaxInFlight int

	// MaxDelay is how long calls wait for a batch in flight to be answered. Then they are
	// sent anyway: the connection of the others may be dead. 0: [DefaultMaxDelay].
	MaxDelay time.Duration

	// MaxCalls is the largest size of a batch, so that its first call does not wait for
	// thousands of others.
	MaxCalls int

	mu       sync.Mutex
	waiting  []*call[T]
	inFlight int  // batches
	sent     int  // batches so far
	crowded  bool // the last batch had more than one call
	timer    *time.Timer
	ticking  bool
	sentThen int // sent when the timer was set
	flying   []*batch[T]
	watcher  *time.Timer
	watching bool
	called   bool // since the watcher's last tick
	free     sync.Pool
}

// call waits to be sent, or for its answer.
type call[T any] struct {
	value T
	ctx   context.Context
	done  chan bool // whether the call was answered

	// Guarded by the queue's mu until the call is answered.
	batch    *batch[T]
	answered bool
	canceled bool        // no caller waits any more
	stop     func() bool // nil: the context is not watched
}

// batch is the calls of one round trip.
type batch[T any] struct {
	ctx       context.Context
	cancel    context.CancelFunc
	calls     []*call[T]
	questions []*T // the calls'
	canceled  int  // how many of the calls are; guarded by the queue's mu
}

// Do returns the answered question, or false if ctx ended first. Then it is not known
// whether the question was sent.
func (q *Queue[T]) Do(ctx context.Context, question T) (answered T, ok bool) {
	if ctx.Err() != nil {
		return answered, false
	}
	q.mu.Lock()
	q.called = true
	if !q.watching {
		q.startWatcher()
	}
	goes := q.inFlight < q.MaxInFlight
	if goes {
		q.inFlight++
	}
	if goes && q.Unbatched != nil {
		if q.inFlight > 1 || q.crowded {
			q.mu.Unlock()
			runtime.Gosched() // as run does; it costs a single caller some microseconds
			q.mu.Lock()
		}
		if q.crowded = len(q.waiting) > 0; !q.crowded {
			q.mu.Unlock()
			if q.unbatched(ctx, &question) {
				return question, true
			}
			q.mu.Lock()
		}
	}
	c, _ := q.free.Get().(*call[T])
	if c == nil {
		c = &call[T]{done: make(chan bool, 1)}
	}
	c.value, c.ctx = question, ctx
	q.waiting = append(q.waiting, c)
	if !goes && !q.ticking {
		q.startTimer()
	}
	if !q.watching { // Unbatched took long
		q.startWatcher()
	}
	q.mu.Unlock()
	if goes {
		go q.run()
	}
	if !<-c.done {
		return answered, false // c is not reused: Send may still answer it
	}
	answered = c.value
	if c.stop == nil {
		*c = call[T]{done: c.done}
		q.free.Put(c)
	} else {
		c.stop() // c is not reused: cancel may have begun
	}
	return answered, true
}

// startWatcher sets the timer of watch. The caller holds mu. The timer ticks as long as calls
// come, also unbatched ones. Go wakes a thread for each new timer that fires before all
// others, and those of the callers' deadlines then do not.
func (q *Queue[T]) startWatcher() {
	q.watching = true
	if q.watcher == nil {
		q.watcher = time.AfterFunc(watchEvery, q.watch)
		return
	}
	q.watcher.Reset(watchEvery)
}

// watch watches the contexts of all calls that wait.
func (q *Queue[T]) watch() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watchCalls(q.waiting)
	for _, t := range q.flying {
		q.watchCalls(t.calls)
	}
	if q.watching = q.called || len(q.waiting)+len(q.flying) > 0; q.watching {
		q.startWatcher()
	}
	q.called = false
}

func (q *Queue[T]) watchCalls(calls []*call[T]) {
	for _, c := range calls {
		if c.stop == nil && !c.answered {
			c.stop = context.AfterFunc(c.ctx, func() { q.cancel(c) })
		}
	}
}

// Waiting returns how many calls wait to be sent. It is for tests.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// startTimer sets the timer. The caller holds mu.
func (q *Queue[T]) startTimer() {
	q.ticking, q.sentThen = true, q.sent
	if q.timer == nil {
		q.timer = time.AfterFunc(cmp.Or(q.MaxDelay, DefaultMaxDelay), q.delayed)
		return
	}
	q.timer.Reset(cmp.Or(q.MaxDelay, DefaultMaxDelay))
}

// delayed sends the waiting calls if no batch was sent since the timer was set.
func (q *Queue[T]) delayed() {
	q.mu.Lock()
	q.ticking = false
	overdue := len(q.waiting) > 0
	if overdue {
		if overdue = q.sent == q.sentThen; overdue {
			q.inFlight++
		}
		q.startTimer()
	}
	q.mu.Unlock()
	if overdue {
		q.run()
	}
}

// cancel lets the caller return. It drops the call if that has not been sent. A batch for
// which no caller waits is canceled.
func (q *Queue[T]) cancel(c *call[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.answered {
		return
	}
	c.canceled = true
	c.done <- false
	if t := c.batch; t != nil {
		if t.canceled++; t.canceled == len(t.calls) {
			t.cancel()
		}
	}
}

// unbatched makes a round trip in the caller's goroutine. If that is not possible, the
// round trip remains counted in inFlight.
func (q *Queue[T]) unbatched(ctx context.Context, question *T) (answered bool) {
	answered = true // also if Unbatched panics
	defer func() {
		if answered {
			q.unbatchedDone()
		}
	}()
	answered = q.Unbatched(ctx, question)
	return answered
}

// unbatchedDone ends a round trip that the caller made itself.
func (q *Queue[T]) unbatchedDone() {
	if t := q.next(); t != nil {
		go func() {
			q.send(t)
			q.run()
		}()
	}
}

// next returns a batch of the waiting calls. If there are none it returns nil, and one
// batch fewer is in flight.
func (q *Queue[T]) next() *batch[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	var t batch[T]
	taken := 0
	for _, c := range q.waiting {
		if len(t.calls) == q.MaxCalls {
			break
		}
		taken++
		if !c.canceled {
			c.batch = &t
			t.calls, t.questions = append(t.calls, c), append(t.questions, &c.value)
		}
	}
	rest := copy(q.waiting, q.waiting[taken:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	if len(t.calls) == 0 {
		q.inFlight--
		return nil
	}
	q.sent++
	q.crowded = len(t.calls) > 1
	// A tracer that looks up its span in the context finds the first caller's.
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(t.calls[0].ctx))
	q.flying = append(q.flying, &t)
	return &t
}

// run sends batches until no call waits. It yields first: callers that were just answered
// often ask again at once, and would otherwise be sent one by one.
func (q *Queue[T]) run() {
	for {
		runtime.Gosched()
		t := q.next()
		if t == nil {
			return
		}
		q.send(t)
	}
}

func (q *Queue[T]) send(t *batch[T]) {
	q.Send(t.ctx, t.questions)
	q.mu.Lock()
	q.flying = slices.DeleteFunc(q.flying, func(one *batch[T]) bool { return one == t })
	for _, c := range t.calls {
		if !c.canceled {
			c.answered = true
			c.done <- true
		}
	}
	q.mu.Unlock()
	t.cancel()
}
