package session

import (
	"context"
	"sync"
	"time"
)

// deadlineContext carries a save that goes on when the request's context has
// ended, for so long and no longer. It is context.WithTimeout over
// context.WithoutCancel, but costs a timer only where somebody waits for it:
// a store in memory never does.
type deadlineContext struct {
	parent  context.Context // for its values
	timeout time.Duration   // counted from when somebody first asks

	mu    sync.Mutex
	at    time.Time
	done  chan struct{}
	timer *time.Timer
	err   error
}

func (d *deadlineContext) begin(parent context.Context, timeout time.Duration) {
	d.parent, d.timeout = parent, timeout
}

// used reports whether begin was called.
func (d *deadlineContext) used() bool { return d.parent != nil }

// end releases who still waits.
func (d *deadlineContext) end() { d.close(context.Canceled) }

func (d *deadlineContext) close(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = err
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.done != nil {
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
		if d.err != nil {
			close(d.done)
		} else {
			d.timer = time.AfterFunc(time.Until(d.at), func() { d.close(context.DeadlineExceeded) })
		}
	}
	return d.done
}

// Err is nil for who never waits: what does not block is not late.
func (d *deadlineContext) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
