// Package replay records the functions that change a request's data, and runs them again on
// the version that is stored. The results must be equal: a function that is not repeatable
// would lose data at the first conflict between two requests.
package replay

import (
	"reflect"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/frames"
)

// Changes is what a request has changed of the data and not saved: the functions given to
// Update, and the request's view.
type Changes[T any] struct {
	Reported      bool // Save has returned that data were changed outside Update
	viewed, shown bool // there is a view; others may refer to its parts
	view          T    // the document's value with updates applied, if viewed
	handed        *T   // the copy of the view that Data has handed out, if it did not hand out the view
	updates       []func(*T)
	few           [2]func(*T) // the first array of updates, to save an allocation

	outside string // the key of what was changed outside Update, if that was noticed
}

// Base is what the functions run on.
type Base[T any] struct {
	Codec *document.Codec[T]
	Doc   *document.Document[T] // in the last known version; nil if the session has ended
	Lock  *frames.Mutex         // of the session; the caller holds it

	LargeIntegers bool // the stored document keeps integers from 2^53 on exactly
}

// Any reports whether functions are recorded.
func (c *Changes[T]) Any() bool { return len(c.updates) > 0 }

// Len returns how many functions are recorded.
func (c *Changes[T]) Len() int { return len(c.updates) }

// Data returns the view as Data of a session hands it out. What was handed out is compared at
// the save: with the document if there are no updates, otherwise with the view, which then
// stays private and can be stored.
func (c *Changes[T]) Data(on Base[T]) T {
	view := c.look(on)
	if c.handed == nil && !c.shown && len(c.updates) > 0 && on.Codec.Shares() {
		var copied T
		if on.Codec.CopyValue(view, &copied) == nil {
			c.handed = &copied
		}
	}
	if c.handed != nil {
		return *c.handed
	}
	c.shown = true
	return *view
}

// Update records fn and applies it to the view. If fn panics, nothing is recorded and the view is
// as it was: a handler may recover and go on.
func (c *Changes[T]) Update(on Base[T], fn func(*T)) {
	view := c.look(on)
	c.noticeOutside(on)
	c.handed = nil
	if c.shown { // do not change what Data returned
		_ = on.Codec.Detach(view)
		c.shown = false
	}
	returned := false
	defer func() {
		if !returned { // fn has panicked, and has left the view half changed: make it again
			outside := c.outside
			c.Unview()
			c.outside = outside
		}
	}()
	c.apply(on.Lock, fn, view)
	returned = true
	_ = on.Codec.Detach(view) // the save returns its error
	if c.updates == nil {
		c.updates = c.few[:0]
	}
	c.updates = append(c.updates, fn)
}

// Replay runs the recorded functions on a fresh copy of the last known data. If the view
// was made from the same version, the result must be equal to it. body is nil if nothing
// was recorded. The error is a [*Difference], or says what cannot be stored.
func (c *Changes[T]) Replay(on Base[T]) (value *T, body []byte, err error) {
	codec := on.Codec
	if on.Lock.Misuse != nil {
		return nil, nil, on.Lock.Misuse
	}
	if len(c.updates) == 0 {
		if c.viewed && codec.Shares() && !codec.Same(&on.Doc.Value, &c.view) {
			c.Reported = true
			return nil, nil, c.difference(on, &on.Doc.Value)
		}
		return &on.Doc.Value, nil, nil
	}
	value = new(T)
	if err := codec.Copy(on.Doc, value); err != nil {
		return nil, nil, err
	}
	// The view is already a copy. If nothing else refers to its parts, and the result is
	// the same, the view is used.
	private := c.viewed && !c.shown && codec.CopiesExactly()
	var unfit error
	for i, fn := range c.updates {
		c.apply(on.Lock, fn, value)
		if !private || i < len(c.updates)-1 {
			unfit = codec.Detach(value) // copy what fn put in, since the next function may change it
		}
	}
	if on.Lock.Misuse != nil {
		return nil, nil, on.Lock.Misuse
	}
	// This comes first: what cannot be encoded (a function, NaN) cannot be compared either.
	if body, err = codec.Encode(value); err != nil {
		return nil, nil, err
	}
	if !private && unfit != nil {
		return nil, nil, unfit
	}
	if c.noticeOutside(on); c.outside != "" {
		return nil, nil, c.difference(on, value)
	}
	if c.viewed && !codec.Same(value, &c.view) {
		if !private {
			return nil, nil, c.difference(on, value)
		}
		// What fn put in may only have another form than in the view.
		if err := codec.Detach(value); err != nil {
			return nil, nil, err
		}
		if !codec.Same(value, &c.view) {
			return nil, nil, c.difference(on, value)
		}
	}
	if private {
		value = &c.view
	}
	if err := codec.Normalize(value, body); err != nil || on.LargeIntegers {
		return value, body, err
	}
	return value, body, codec.CheckNumbers(on.Doc, body)
}

// Forget drops the view and the recorded functions.
func (c *Changes[T]) Forget() {
	c.Unview()
	c.ForgetUpdates()
}

// ForgetUpdates drops the recorded functions only.
func (c *Changes[T]) ForgetUpdates() { c.few, c.updates = [2]func(*T){}, nil }

// Unview drops the view, which is made again when it is needed.
func (c *Changes[T]) Unview() {
	var none T
	c.view, c.viewed, c.shown, c.handed = none, false, false, nil
	c.outside = ""
}

// Cut forgets the functions from n on, unless all are forgotten. The view is made anew from
// the others.
func (c *Changes[T]) Cut(n int) {
	if len(c.updates) > n {
		clear(c.updates[n:])
		c.updates = c.updates[:n]
		c.Unview()
	}
}

// Undo forgets the last function, which has changed nothing. Its result may share parts
// with the view.
func (c *Changes[T]) Undo() {
	c.updates = c.updates[:len(c.updates)-1]
	c.shown = true
}

// Copy records the functions of another request's session. They run as that session's do:
// lock is its lock.
func (c *Changes[T]) Copy(from *Changes[T], lock *frames.Mutex) {
	for _, fn := range from.updates {
		c.updates = append(c.updates, func(data *T) { from.apply(lock, fn, data) })
	}
}

// look makes the view if there is none yet. A document that was decoded once can be copied
// or decoded again, so this does not fail.
func (c *Changes[T]) look(on Base[T]) *T {
	if !c.viewed && on.Doc != nil {
		if err := on.Codec.Copy(on.Doc, &c.view); err == nil {
			c.viewed = true
			for _, fn := range c.updates { // of a view that a failed save has dropped
				c.apply(on.Lock, fn, &c.view)
				_ = on.Codec.Detach(&c.view)
			}
		}
	}
	return &c.view
}

// apply runs a function given to Update. [frames.Mutex] finds this function's frame by its
// name.
//
//go:noinline
func (c *Changes[T]) apply(lock *frames.Mutex, fn func(*T), data *T) {
	defer lock.End()
	lock.Begin(reflect.ValueOf(fn).Pointer())
	fn(data)
}

// noticeOutside checks whether what Data returned was modified in place.
func (c *Changes[T]) noticeOutside(on Base[T]) {
	was, is := &c.view, c.handed
	if is == nil && c.viewed && c.shown && len(c.updates) == 0 && on.Doc != nil && on.Codec.Shares() {
		was, is = &on.Doc.Value, &c.view
	}
	if c.outside == "" && is != nil && !on.Codec.Same(was, is) {
		c.outside = pathOf(was, is)
	}
}
