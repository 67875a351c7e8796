package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadlineContext carries a save that goes on when the request's context has
// ended, for so long and no longer. It is context.WithTimeout over
// context.WithoutCancel, but costs a timer only where somebody waits for it:
// a store in memory never does.
type deadlineContext struct {
	parent  context.Context // for its values
	timeout time.Duration   // counted from when somebody first asks
	over    atomic.Uint32   // 0, or how it ended
	waiting atomic.Pointer[waiting]
}

// waiting is what a deadlineContext needs once somebody waits for it.
type waiting struct {
	at    time.Time
	done  chan struct{}
	timer *time.Timer
	wake  sync.Once
}

// outlive returns a context for work that ctx's end does not stop, but
// Config.SaveTimeout does. The caller ends it.
func (c *core) outlive(ctx context.Context) *deadlineContext {
	return &deadlineContext{parent: ctx, timeout: c.saveTimeout}
}

// How a deadlineContext ends.
const (
	released = 1 + iota
	late
)

// end releases who still waits.
func (d *deadlineContext) end() { d.close(released) }

func (d *deadlineContext) close(how uint32) {
	if d.over.CompareAndSwap(0, how) {
		if w := d.waiting.Load(); w != nil {
			w.release()
		}
	}
}

func (w *waiting) release() {
	w.wake.Do(func() {
		w.timer.Stop()
		close(w.done)
	})
}

// wait starts the clock, if it does not run yet.
func (d *deadlineContext) wait() *waiting {
	if w := d.waiting.Load(); w != nil {
		return w
	}
	w := &waiting{at: time.Now().Add(d.timeout), done: make(chan struct{})}
	w.timer = time.AfterFunc(d.timeout, func() { d.close(late) })
	if !d.waiting.CompareAndSwap(nil, w) {
		w.timer.Stop() // another has started it meanwhile
		return d.waiting.Load()
	}
	if d.over.Load() != 0 { // before close could know that somebody waits
		w.release()
	}
	return w
}

func (d *deadlineContext) Deadline() (time.Time, bool) { return d.wait().at, true }

func (d *deadlineContext) Value(key any) any { return d.parent.Value(key) }

func (d *deadlineContext) Done() <-chan struct{} { return d.wait().done }

// Err is nil for who never waits: what does not block is not late.
func (d *deadlineContext) Err() error {
	switch d.over.Load() {
	case released:
		return context.Canceled
	case late:
		return context.DeadlineExceeded
	}
	return nil
}
