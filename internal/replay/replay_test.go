package replay_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/replay"
)

// newCodec makes the codec of a manager without options.
func newCodec[T any](t testing.TB) *document.Codec[T] {
	t.Helper()
	c, err := document.NewCodec[T](nil, false, document.Cookies{Parse: func([]byte) (any, document.Lifetime, document.Instant, error) {
		return nil, document.Lifetime{}, 0, nil
	}}, document.DefaultCacheBytes)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal = document.NewSealer([]string{"a secret for tests"}, "sid", false, false)
	return &c
}

// request is a request's changes of a document.
type request[T any] struct {
	replay.Changes[T]
	on replay.Base[T]
}

func newRequest[T any](c *document.Codec[T], doc *document.Document[T]) *request[T] {
	return &request[T]{on: replay.Base[T]{Codec: c, Doc: doc, Lock: new(frames.Mutex), LargeIntegers: true}}
}

func (r *request[T]) data() T             { return r.Data(r.on) }
func (r *request[T]) update(fn func(*T))  { r.Update(r.on, fn) }
func (r *request[T]) replay() (*T, error) { v, _, err := r.Replay(r.on); return v, err }

// save composes the next document, as a session's save does.
func (r *request[T]) save() error {
	value, body, err := r.Replay(r.on)
	if err != nil {
		return err
	}
	doc, err := r.on.Codec.Compose(r.on.Doc, "key", value, body, []byte(`{}`), nil, document.Lifetime{}, document.Meta{}, document.Opener{})
	if err == nil {
		r.on.Codec.Keep(doc, 0)
		r.Forget()
		r.on.Doc = doc
	}
	return err
}

type cart struct {
	Items []string       `json:"items"`
	Total int            `json:"total"`
	Notes map[string]int `json:"notes,omitempty"`
}

// stored returns a document with something in it, and its codec.
func stored(t *testing.T) (*document.Codec[cart], *document.Document[cart]) {
	t.Helper()
	c := newCodec[cart](t)
	r := newRequest(c, c.Empty)
	r.update(func(d *cart) { *d = cart{[]string{"book"}, 7, map[string]int{"a": 1}} })
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	return c, r.on.Doc
}

func TestUpdatesRunOnWhatIsStored(t *testing.T) {
	t.Parallel()
	c, first := stored(t)
	mine, theirs := newRequest(c, first), newRequest(c, first)
	mine.update(func(d *cart) { d.Total++ })
	mine.update(func(d *cart) { d.Items = append(d.Items, "pen") })
	theirs.update(func(d *cart) { d.Total += 100 })
	if err := theirs.save(); err != nil {
		t.Fatal(err)
	}
	if d := mine.data(); d.Total != 8 || len(d.Items) != 2 {
		t.Errorf("the view is %+v", d)
	}
	mine.on.Doc = theirs.on.Doc // loaded after a conflict
	mine.Unview()
	if v, err := mine.replay(); err != nil || v.Total != 108 || fmt.Sprint(v.Items) != "[book pen]" {
		t.Errorf("on the new version: %+v, %v", v, err)
	}
	if first.Value.Total != 7 || len(first.Value.Items) != 1 || theirs.on.Doc.Value.Total != 107 {
		t.Errorf("a stored value has changed: %+v, %+v", first.Value, theirs.on.Doc.Value)
	}
}

// An update does not change what Data has returned before.
func TestUpdateLeavesWhatDataReturned(t *testing.T) {
	t.Parallel()
	c, doc := stored(t)
	r := newRequest(c, doc)
	before := r.data()
	r.update(func(d *cart) { d.Items[0], d.Notes["a"] = "pen", 2 })
	if before.Items[0] != "book" || before.Notes["a"] != 1 {
		t.Errorf("it is %+v", before)
	}
	if now := r.data(); now.Items[0] != "pen" || now.Notes["a"] != 2 {
		t.Errorf("Data now returns %+v", now)
	}
}

func TestWhatDataReturnedWasModified(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *request[cart]){
		"without an update": func(r *request[cart]) { r.data().Items[0] = "pen" },
		"before an update": func(r *request[cart]) {
			r.data().Items[0] = "pen"
			r.update(func(d *cart) { d.Total++ })
		},
		"after an update": func(r *request[cart]) {
			r.update(func(d *cart) { d.Total++ })
			r.data().Items[0] = "pen"
		},
		"between two updates": func(r *request[cart]) {
			r.update(func(d *cart) { d.Total++ })
			r.data().Items[0] = "pen"
			r.update(func(d *cart) { d.Total++ })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRequest(stored(t))
			change(r)
			_, err := r.replay()
			d := (*replay.Difference)(nil)
			if !errors.As(err, &d) || !d.Outside || !strings.EqualFold(d.Key, "items[0]") || d.Function != "" {
				t.Fatalf("the error is %#v", err)
			}
			if r.Reported != !r.Any() {
				t.Errorf("Reported is %v with %d updates", r.Reported, r.Len())
			}
		})
	}
}

// The function that is not repeatable is found among others.
func TestTheFunctionThatIsNotRepeatable(t *testing.T) {
	t.Parallel()
	n := 0
	counts := func(d *cart) { n++; d.Total = n }
	fine := func(d *cart) { d.Items = append(d.Items, "pen") }
	for name, fns := range map[string][]func(*cart){
		"alone": {counts}, "first": {counts, fine}, "between": {fine, counts, fine}, "last": {fine, fine, counts},
	} {
		r := newRequest(stored(t))
		for _, fn := range fns {
			r.update(fn)
		}
		_, err := r.replay()
		d := (*replay.Difference)(nil)
		if !errors.As(err, &d) || d.Outside || !strings.EqualFold(d.Key, "total") {
			t.Fatalf("%s: %#v", name, err)
		}
		if !strings.Contains(d.Function, "TestTheFunctionThatIsNotRepeatable.func1") || !strings.HasSuffix(d.File, "replay_test.go") || d.Line == 0 {
			t.Errorf("%s: found %s at %s:%d", name, d.Function, d.File, d.Line)
		}
	}
}

// A function that differs only in its first run is known if no other changes the key.
func TestTheFunctionThatDiffersOnlyOnce(t *testing.T) {
	t.Parallel()
	for _, others := range []bool{false, true} {
		ran := false
		r := newRequest(stored(t))
		r.update(func(d *cart) { d.Items = append(d.Items, "pen") })
		r.update(func(d *cart) {
			if d.Total++; !ran {
				ran, d.Total = true, 100
			}
		})
		if others {
			r.update(func(d *cart) { d.Total++ })
		}
		_, err := r.replay()
		d := (*replay.Difference)(nil)
		if !errors.As(err, &d) || d.Outside || (d.Function == "") != others {
			t.Errorf("another function changes the key: %v; found %+v", others, d)
		}
	}
}

func TestFunctionsAreForgotten(t *testing.T) {
	t.Parallel()
	add := func(n int) func(*cart) { return func(d *cart) { d.Total += n } }
	r := newRequest(stored(t))
	r.update(add(1))
	r.update(add(10))
	r.update(add(100))
	if r.Cut(5); r.Len() != 3 {
		t.Errorf("Cut(5) of 3 leaves %d", r.Len())
	}
	r.Cut(2)
	if d := r.data(); d.Total != 18 || r.Len() != 2 {
		t.Errorf("after Cut(2): %d functions, %+v", r.Len(), d)
	}
	r.update(func(*cart) {})
	r.Undo()
	if v, err := r.replay(); err != nil || v.Total != 18 || r.Len() != 2 {
		t.Errorf("after Undo: %d functions, %+v, %v", r.Len(), v, err)
	}
	r.ForgetUpdates()
	if d := r.data(); d.Total != 18 || r.Any() {
		t.Errorf("ForgetUpdates: %d functions, the view %+v", r.Len(), d)
	}
	r.Forget()
	if d := r.data(); d.Total != 7 {
		t.Errorf("after Forget the view is %+v", d)
	}
	if r.on.Doc = nil; r.data().Total != 7 {
		t.Error("the view of a session that has ended is gone")
	}
	if r.Forget(); !reflect.DeepEqual(r.data(), cart{}) {
		t.Errorf("without a document the view is %+v", r.data())
	}
}

// The functions of one session run on another's document.
func TestCopyOfTheFunctions(t *testing.T) {
	t.Parallel()
	c, doc := stored(t)
	from, to := newRequest(c, doc), newRequest(c, c.Empty)
	from.update(func(d *cart) { d.Total++ })
	to.Copy(&from.Changes, from.on.Lock)
	if v, err := to.replay(); err != nil || v.Total != 1 || to.Len() != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

// What no other request refers to is not copied twice.
func TestAReplayOfPlainDataIsCheap(t *testing.T) { // not parallel: it counts allocations
	c := newCodec[struct{ N int }](t)
	fn := func(d *struct{ N int }) { d.N++ }
	r := newRequest(c, c.Empty)
	if n := testing.AllocsPerRun(100, func() {
		r.Forget()
		r.update(fn)
		if _, err := r.replay(); err != nil {
			t.Fatal(err)
		}
	}); n > 4 { // the value, its encoding, and what encoding/json needs
		t.Errorf("%v allocations", n)
	}
}
