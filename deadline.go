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

	over    atomic.Uint32 // 0, or how it ended
	waiting atomic.Bool   // somebody has called Done

	mu    sync.Mutex
	at    time.Time
	done  chan struct{}
	timer *time.Timer
	woken bool
}

// outlive returns a context for work that ctx's end does not stop, but
// Config.SaveTimeout does. The caller ends it.
func (c *core) outlive(ctx context.Context) *deadlineContext {
	return &deadlineContext{parent: ctx, timeout: c.saveTimeout}
}

// end releases who still waits.
func (d *deadlineContext) end() { d.close(released) }

// How a deadlineContext ends.
const (
	released = 1 + iota
	late
)

func (d *deadlineContext) close(how uint32) {
	if !d.over.CompareAndSwap(0, how) || !d.waiting.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
}

// release wakes who waits, once.
func (d *deadlineContext) release() {
	if !d.woken {
		d.woken = true
		d.timer.Stop()
		close(d.done)
	}
}

func (d *deadlineContext) Deadline() (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.start()
	return d.at, true
}

// start fixes the deadline.
func (d *deadlineContext) start() {
	if d.at.IsZero() {
		d.at = time.Now().Add(d.timeout)
	}
}

func (d *deadlineContext) Value(key any) any { return d.parent.Value(key) }

func (d *deadlineContext) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.start()
		d.done = make(chan struct{})
		d.timer = time.AfterFunc(time.Until(d.at), func() { d.close(late) })
		d.waiting.Store(true)
		if d.over.Load() != 0 { // before close could know that somebody waits
			d.release()
		}
	}
	return d.done
}

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
