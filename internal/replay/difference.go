package replay

import (
	"reflect"
	"runtime"
	"strings"

	"github.com/nestsession/session/internal/clone"
)

// Difference is the error of a replay whose result differs from the view. The session
// returns it as an UnrepeatableError.
type Difference struct {
	Outside        bool   // what Data returned was modified in place
	Key            string // where the data differ, such as items[2].name
	Function, File string // of the function that is not repeatable; "" if that is unknown
	Line           int
}

func (d *Difference) Error() string { return "replay: the data differ at " + d.Key }

// difference finds out why a replay differs from the view.
func (c *Changes[T]) difference(on Base[T], value *T) error {
	d := &Difference{Outside: true, Key: pathOf(value, &c.view)}
	c.noticeOutside(on)
	if c.outside != "" {
		d.Key = c.outside
		return d
	}
	if len(c.updates) == 0 {
		return d // a value that decodes differently each time
	}
	d.Outside = false
	fn := c.suspect(on, d.Key)
	if fn == nil {
		return d
	}
	if f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()); f != nil {
		d.Function = f.Name()
		d.File, d.Line = f.FileLine(f.Entry())
	}
	return d
}

// suspect returns the recorded function that is not repeatable: the first one that gives
// two results when it runs twice. If there is none, because a function may differ only in
// its first run, it returns the only function, or the only one that changes the key. nil
// means unknown.
func (c *Changes[T]) suspect(on Base[T], key string) func(*T) {
	codec := on.Codec
	if len(c.updates) == 1 {
		return c.updates[0]
	}
	var a, b T
	if codec.Copy(on.Doc, &a) != nil || codec.Copy(on.Doc, &b) != nil {
		return nil
	}
	var touching []func(*T)
	for _, fn := range c.updates {
		var before T
		known := codec.CopyValue(&a, &before) == nil
		fn(&a)
		fn(&b)
		if codec.Detach(&a) != nil || codec.Detach(&b) != nil {
			return nil
		}
		if !codec.Same(&a, &b) {
			return fn
		}
		if known && top(pathOf(&before, &a)) == top(key) {
			touching = append(touching, fn)
		}
	}
	if len(touching) == 1 {
		return touching[0]
	}
	return nil
}

// pathOf returns the path at which two values differ, "" if they are equal.
func pathOf[T any](a, b *T) string {
	f := clone.Differing{Exactly: true}.Find(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), clone.MaxDepth)
	if f == nil {
		return ""
	}
	return strings.TrimPrefix(f.Path, ".")
}

// top returns the top-level member of a path.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}
