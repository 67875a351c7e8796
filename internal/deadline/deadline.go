// Package deadline bounds calls to a store in time, without a timer where nobody waits.
package deadline

import (
	"context"
	"sync"
	"time"
)

// Context bounds what is asked of the store, so that one that does not answer
// holds nobody up for ever. It is context.WithTimeout, but costs a timer only where
// somebody waits for it: a store in memory never does.
type Context struct {
	Parent  context.Context
	Timeout time.Duration // counted from when somebody first asks
	Follows bool          // ends with the parent too; else that is only asked for its values

	mu     sync.Mutex
	inner  context.Context // once somebody waits
	cancel context.CancelFunc
	ended  bool
}

// Within returns a context that ends with ctx, or when the time is over. The caller
// ends it.
func Within(ctx context.Context, timeout time.Duration) *Context {
	return &Context{Parent: ctx, Timeout: timeout, Follows: true}
}

// Without returns a context that ctx's end does not end, only the time's. The caller
// ends it.
func Without(ctx context.Context, timeout time.Duration) *Context {
	return &Context{Parent: ctx, Timeout: timeout}
}

// End releases who still waits.
func (d *Context) End() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

// wait starts the clock, if it does not run yet.
func (d *Context) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		parent := d.Parent
		if !d.Follows {
			parent = context.WithoutCancel(parent)
		}
		d.inner, d.cancel = context.WithTimeout(parent, d.Timeout)
		if d.ended {
			d.cancel()
		}
	}
	return d.inner
}

func (d *Context) Deadline() (time.Time, bool) { return d.wait().Deadline() }

// Value asks the context with the timer once there is one. So a context that is derived
// from d, and context.AfterFunc, find that one as their parent, and need no goroutine that
// waits for its end.
func (d *Context) Value(key any) any {
	d.mu.Lock()
	inner := d.inner
	d.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return d.Parent.Value(key)
}

func (d *Context) Done() <-chan struct{} { return d.wait().Done() }

// Err does not start the clock: what does not block is not late.
func (d *Context) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.inner != nil:
		return d.inner.Err()
	case d.ended:
		return context.Canceled
	case d.Follows:
		return d.Parent.Err()
	}
	return nil
}
