package frames

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// applies is how the name of the function that runs a function given to Update begins.
const applies = "github.com/nestsession/session/internal/replay."

// ErrReentrant is session.ErrReentrant.
var ErrReentrant = errors.New("session: session was asked for while it is locked")

// Mutex is a session's lock. The function given to Update runs under it. Calls by that function are
// let through and recorded as an error. Other goroutines wait.
type Mutex struct {
	mu      sync.Mutex
	running atomic.Uintptr // the function given to Update, while it runs
	nested  int            // its calls of the session's methods that have not returned
	Misuse  error          // the first of these calls
}

func (l *Mutex) Lock() {
	if fn := l.running.Load(); fn != 0 && l.within(fn) {
		l.nested++
		return
	}
	l.mu.Lock()
}

func (l *Mutex) Unlock() {
	if l.nested > 0 {
		l.nested--
		return
	}
	l.mu.Unlock()
}

// within reports whether this goroutine is the one that runs fn. It reads the stack, and is called
// only where the goroutine would otherwise wait for fn.
func (l *Mutex) within(fn uintptr) bool {
	name := strings.TrimSuffix(runtime.FuncForPC(fn).Name(), "-fm") // the suffix of a method value
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
		if caller.Function == "" && !Own(f.Function) {
			caller = f
		}
		if strings.HasPrefix(f.Function, applies) && strings.HasSuffix(f.Function, ").apply") && inner.Function == name {
			break
		}
		if !more {
			return false
		}
		inner = f
	}
	if l.Misuse == nil {
		l.Misuse = fmt.Errorf("%w: a function given to Update calls a method of the session at %s:%d, in %s",
			ErrReentrant, filepath.Base(caller.File), caller.Line, caller.Function)
	}
	return true
}

// Begin records that a function given to Update runs from now on; end records that it has returned.
// The caller's frame is found by its name, which ends in ".apply".
func (l *Mutex) Begin(id uintptr) { l.running.Store(id) }

func (l *Mutex) End() { l.running.Store(0) }

// InUpdate reports whether the function given to Update has called a method of the session that has
// not returned.
func (l *Mutex) InUpdate() bool { return l.nested > 0 }
