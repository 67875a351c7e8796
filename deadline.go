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
	parent context.Context // for its values
	at     time.Time

	mu    sync.Mutex
	done  chan struct{}
	timer *time.Timer
	err   error
}

func (d *deadlineContext) begin(parent context.Context, timeout time.Duration) {
	d.parent, d.at = parent, time.Now().Add(timeout)
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

func (d *deadlineContext) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadlineContext) Value(key any) any { return d.parent.Value(key) }

func (d *deadlineContext) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		} else {
			d.timer = time.AfterFunc(time.Until(d.at), func() { d.close(context.DeadlineExceeded) })
		}
	}
	return d.done
}

func (d *deadlineContext) Err() error {
	d.mu.Lock()
	err, waiting := d.err, d.done != nil
	d.mu.Unlock()
	if err == nil && !waiting && !time.Now().Before(d.at) {
		d.close(context.DeadlineExceeded)
		return context.DeadlineExceeded
	}
	return err
}
