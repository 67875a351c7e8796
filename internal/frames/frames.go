// Package frames reads from a goroutine's stack what no API reports: whether a panic is being
// handled, whether the function that made a change has returned, and whether a callback calls the
// session while its lock is held.
package frames

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Middleware that recovers from a panic answers in a deferred function, which runtime.gopanic has
// called and which is still on the stack. So the stack shows whether a response answers a panic,
// whoever recovers. Only frames within the exchange count, since a handler may itself run in a
// deferred function of an unrelated panic. The functions below mark where the exchange begins.
// There are several, so that managers in one chain can be distinguished.

// served has the handler that an exchange runs.
type served interface {
	Handle(w http.ResponseWriter, r *http.Request)
}

//go:noinline
func serve0(s served, w http.ResponseWriter, r *http.Request) { s.Handle(w, r) }

//go:noinline
func serve1(s served, w http.ResponseWriter, r *http.Request) { s.Handle(w, r) }

//go:noinline
func serve2(s served, w http.ResponseWriter, r *http.Request) { s.Handle(w, r) }

//go:noinline
func serve3(s served, w http.ResponseWriter, r *http.Request) { s.Handle(w, r) }

var Serves = [...]func(served, http.ResponseWriter, *http.Request){serve0, serve1, serve2, serve3}

// The program counters, as runtime.Callers returns them, of the places where a panic and
// runtime.Goexit call deferred functions, and where the functions above call handlers. They are
// looked up once, so that stacks are compared by numbers and not by names.
var (
	learn     = sync.OnceFunc(learnCounters)
	unwinding [2]uintptr
	begins    [len(Serves)]uintptr
)

type probe struct{ at *uintptr }

func (p probe) Handle(http.ResponseWriter, *http.Request) {
	var pcs [2]uintptr
	runtime.Callers(1, pcs[:]) // this function, and its caller
	*p.at = pcs[1]
}

func learnCounters() {
	for i, serve := range Serves {
		serve(probe{&begins[i]}, nil, nil)
	}
	find := func(i int, name string) {
		var pcs [8]uintptr
		frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
		for j := 0; ; j++ {
			f, more := frames.Next()
			if f.Function == name {
				unwinding[i] = pcs[j]
				return
			}
			if !more {
				return
			}
		}
	}
	func() {
		defer func() { _ = recover() }()
		defer find(0, "runtime.gopanic")
		panic("learning what a panic looks like")
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer find(1, "runtime.Goexit")
		runtime.Goexit()
	}()
	<-done
}

// Reach is how many frames stood between the beginning of an exchange and the call of Panicking
// when that was called last. A handler has about the same next time, and unwinding a frame costs
// some 100 ns, so no more are unwound than needed.
type Reach struct{ frames atomic.Int32 }

// Panicking reports whether this goroutine runs deferred functions of a panic, or of
// runtime.Goexit, that began within the exchange of the depth. A panic that was recovered does not
// count once its deferred functions have returned.
func (r *Reach) Panicking(depth int) bool {
	learn()
	begin := begins[depth%len(begins)]
	var pcs [16]uintptr
	reach := int(r.frames.Load())
	part := pcs[:]
	if 0 < reach && reach < len(pcs) {
		part = pcs[:reach]
	}
	for skip := 2; ; {
		n := runtime.Callers(skip, part)
		for i, pc := range part[:n] {
			switch pc {
			case unwinding[0], unwinding[1]:
				return true
			case begin:
				if found := skip + i - 1; found != reach {
					r.frames.Store(int32(found))
				}
				return false
			}
		}
		if n < len(part) {
			return false // a goroutine that the handler started
		}
		skip, part = skip+n, pcs[:]
	}
}

// StackWithin returns the names of the functions on this goroutine's stack, innermost first, up to
// the beginning of the exchange of the depth.
func StackWithin(depth int) []string {
	learn()
	begin := begins[depth%len(begins)]
	pcs := make([]uintptr, 64)
	n := runtime.Callers(2, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 2*len(pcs))
		n = runtime.Callers(2, pcs)
	}
	for i, pc := range pcs[:n] {
		if pc == begin {
			n = i
			break
		}
	}
	return names(pcs[:n])
}

func names(pcs []uintptr) (all []string) {
	if len(pcs) == 0 {
		return nil
	}
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			all = append(all, f.Function)
		}
		if !more {
			return all
		}
	}
}

// Own reports whether a function is one of those through which a request passes between
// net/http, the handler and the session: it belongs to the root package, or to
// internal/exchange.
func Own(function string) bool {
	name, ok := strings.CutPrefix(function, "github.com/nestsession/session")
	return ok && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/internal/exchange."))
}

// traceDepth bounds how many callers of a change are remembered: a handler and the
// helpers through which it changes the session.
const traceDepth = 6

// Trace is the callers that changed a session last.
type Trace struct {
	callers [traceDepth]uintptr
	n       int
}

// Take returns the callers of the function that calls it.
func Take() *Trace {
	t := new(Trace)
	t.n = runtime.Callers(3, t.callers[:])
	return t
}

// Names returns the names of the callers; none for nil.
func (t *Trace) Names() []string {
	if t == nil {
		return nil
	}
	return names(t.callers[:t.n])
}

// Abandoned reports whether the function that made a change has returned, and the callers of its
// helpers as well. changed is the stack of the change and running the present one, innermost first.
func Abandoned(changed, stack []string) bool {
	running := make(map[string]bool, len(stack))
	for _, function := range stack {
		running[function] = true
	}
	first := ""
	for _, function := range changed {
		if Own(function) {
			continue // Update and similar methods
		}
		if first != "" && (strings.HasSuffix(function, ".ServeHTTP") || strings.HasPrefix(function, "net/http.")) {
			return true // these call many handlers, so their frames say nothing about this one
		}
		for name := function; name != ""; name = outerFunction(name) {
			if running[name] {
				return false
			}
		}
		if first != "" && (outerFunction(function) != "" || !sameModule(function, first)) {
			return true // middleware or the framework: the handler is not farther out
		}
		if first == "" {
			first = function
		}
	}
	return first != ""
}

// outerFunction returns the function that contains a function literal, or the body of a range over
// a function; "" for a function that is neither.
func outerFunction(name string) string {
	i := strings.LastIndexAny(name, ".-")
	if i < 0 {
		return ""
	}
	last := strings.TrimPrefix(strings.TrimPrefix(name[i+1:], "func"), "range")
	if last == "" || strings.Trim(last, "0123456789") != "" {
		return ""
	}
	return name[:i]
}

// sameModule reports whether two functions probably belong to one application.
func sameModule(a, b string) bool {
	a, b = module(a), module(b)
	return a == b || a == "main" || b == "main"
}

// module is the path of a function's module, as far as the name shows it.
func module(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	parts := strings.Split(function[:slash]+name, "/")
	if !strings.Contains(parts[0], ".") {
		return parts[0]
	}
	return strings.Join(parts[:min(len(parts), 3)], "/") // host, owner, repository
}

// WritesHeader reports whether the connection is hijacked by a library that is known to send the
// response header itself afterwards.
func WritesHeader(depth int) bool {
	for _, function := range StackWithin(depth) {
		if strings.HasPrefix(function, "net/http/httputil.(*ReverseProxy).") {
			return true
		}
	}
	return false
}
