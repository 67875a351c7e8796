package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrReentrant says that the session was asked for where it is locked: by a callback of
// the Config, an event or a store, for which [Manager.Load] returns it, or by a function
// given to [Session.Update] that calls a method of the session. Then the save fails with
// it, and the text names the line. Take what the function needs before Update.
var ErrReentrant = errors.New("session: session was asked for while it is locked")

// callback is the request for a callback of the Config. In its context Load returns
// ErrReentrant: the session is locked while the callback runs.
func (c *core) callback(r *http.Request) *http.Request {
	ctx := r.Context()
	if quiet := c.quiet(ctx); quiet != ctx {
		return r.WithContext(quiet)
	}
	return r
}

// quiet is ctx, without the session if that is in it.
func (c *core) quiet(ctx context.Context) context.Context {
	x, _ := ctx.Value(chainKey).(chained)
	for ; x != nil; x = x.farther() {
		if x.manager() == c {
			return quietContext{ctx, c}
		}
	}
	return ctx
}

// lock is a session's lock. While a function given to Update runs, which happens under
// the lock, it lets that function's own calls through and keeps them as an error. Other
// goroutines wait.
type lock struct {
	mu      sync.Mutex
	running atomic.Uintptr // the function given to Update, while it runs
	nested  int            // its calls of the session's methods, under way
	misuse  error          // the first of them
}

func (l *lock) Lock() {
	if fn := l.running.Load(); fn != 0 && l.within(fn) {
		l.nested++
		return
	}
	l.mu.Lock()
}

func (l *lock) Unlock() {
	if l.nested > 0 {
		l.nested--
		return
	}
	l.mu.Unlock()
}

// within reports whether this goroutine is the one that runs fn. It is asked only
// where somebody would wait for fn, and reads the stack.
func (l *lock) within(fn uintptr) bool {
	name := strings.TrimSuffix(runtime.FuncForPC(fn).Name(), "-fm") // of a method value
	pcs := make([]uintptr, 64)
	n := runtime.Callers(3, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 2*len(pcs))
		n = runtime.Callers(3, pcs)
	}
	frames := runtime.CallersFrames(pcs[:n])
	var caller, inner runtime.Frame
	for {
		f, more := frames.Next()
		if caller.Function == "" && !own(f.Function) {
			caller = f
		}
		if own(f.Function) && strings.HasSuffix(f.Function, ").apply") && inner.Function == name {
			break
		}
		if !more {
			return false
		}
		inner = f
	}
	if l.misuse == nil {
		l.misuse = fmt.Errorf("%w: a function given to Update calls a method of the session at %s:%d, in %s",
			ErrReentrant, filepath.Base(caller.File), caller.Line, caller.Function)
	}
	return true
}

// apply runs a function given to Update. The session is locked.
//
//go:noinline
func (s *Session[T]) apply(fn func(*T), data *T) {
	defer s.mu.running.Store(0)
	s.mu.running.Store(reflect.ValueOf(fn).Pointer())
	fn(data)
}
