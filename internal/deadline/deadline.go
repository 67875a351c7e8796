// Package deadline limits the time of calls to a store, and sets no timer if nobody waits.
package deadline

import (
	"context"
	"sync"
	"time"
)

// Context limits the time of calls to a store, so that a store that does not answer blocks nobody
// forever. It is like context.WithTimeout, but sets a timer only when somebody waits for it, which
// a store in memory never does.
type Context struct {
	Parent  context.Context
	Timeout time.Duration // counted from the first use
	Follows bool          // it ends with the parent too; otherwise it has only the parent's values

	ended  bool // with what follows it is guarded by mu
	mu     sync.Mutex
	inner  context.Context // nil until somebody waits
	cancel context.CancelFunc
}

// Within returns a context that ends with ctx or after the timeout. The caller calls End.
func Within(ctx context.Context, timeout time.Duration) *Context {
	return &Context{Parent: ctx, Timeout: timeout, Follows: true}
}

// Without returns a context that ends only after the timeout, and not with ctx. The caller calls
// End.
func Without(ctx context.Context, timeout time.Duration) *Context {
	return &Context{Parent: ctx, Timeout: timeout}
}

// Without returns what the function Without returns. The first call uses d itself, which saves
// an allocation.
func (d *Context) Without(ctx context.Context, timeout time.Duration) *Context {
	if d.Parent != nil {
		return Without(ctx, timeout)
	}
	d.Parent, d.Timeout = ctx, timeout
	return d
}

// End ends the context.
func (d *Context) End() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

// wait sets the timer if it is not set yet.
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

// Err does not set the timer: a call that does not block needs none.
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
