package session

import (
	"context"
	"sync"
	"time"
)

// deadlineContext bounds what is asked of the store, so that one that does not answer
// holds nobody up for ever. It is context.WithTimeout, but costs a timer only where
// somebody waits for it: a store in memory never does.
type deadlineContext struct {
	parent  context.Context
	timeout time.Duration // counted from when somebody first asks
	follows bool          // ends with the parent too; else that is only asked for its values

	mu     sync.Mutex
	inner  context.Context // once somebody waits
	cancel context.CancelFunc
	ended  bool
}

// within returns a context that ends with ctx, or when the time is over. The caller
// ends it.
func within(ctx context.Context, timeout time.Duration) *deadlineContext {
	return &deadlineContext{parent: ctx, timeout: timeout, follows: true}
}

// without returns a context that ctx's end does not end, only the time's. The caller
// ends it.
func without(ctx context.Context, timeout time.Duration) *deadlineContext {
	return &deadlineContext{parent: ctx, timeout: timeout}
}

// end releases who still waits.
func (d *deadlineContext) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

// wait starts the clock, if it does not run yet.
func (d *deadlineContext) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		parent := d.parent
		if !d.follows {
			parent = context.WithoutCancel(parent)
		}
		d.inner, d.cancel = context.WithTimeout(parent, d.timeout)
		if d.ended {
			d.cancel()
		}
	}
	return d.inner
}

func (d *deadlineContext) Deadline() (time.Time, bool) { return d.wait().Deadline() }

func (d *deadlineContext) Value(key any) any { return d.parent.Value(key) }

func (d *deadlineContext) Done() <-chan struct{} { return d.wait().Done() }

// Err does not start the clock: what does not block is not late.
func (d *deadlineContext) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.inner != nil:
		return d.inner.Err()
	case d.ended:
		return context.Canceled
	case d.follows:
		return d.parent.Err()
	}
	return nil
}
