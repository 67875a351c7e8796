package session

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"

	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/frames"
)

// replay runs the recorded functions on a fresh copy of the last known data. If the view
// was made from the same version, the result must be equal to it: otherwise a function is
// not repeatable and would lose data at the first conflict. body is nil if nothing was
// recorded.
func (s *Session[T]) replay() (value *T, body []byte, err error) {
	c := &s.m.codec
	if s.mu.Misuse != nil {
		return nil, nil, s.mu.Misuse
	}
	if len(s.updates) == 0 {
		if s.viewed && c.Shares() && !c.Same(&s.doc.Value, &s.view) {
			s.reportedOutside = true
			return nil, nil, s.unrepeatable(&s.doc.Value)
		}
		return &s.doc.Value, nil, nil
	}
	value = new(T)
	if err := c.Copy(s.doc, value); err != nil {
		return nil, nil, err
	}
	// The view is already a copy. If nothing else refers to its parts, and the result is
	// the same, the view is used.
	private := s.viewed && !s.shown && c.CopiesExactly()
	var unfit error
	for i, fn := range s.updates {
		s.apply(fn, value)
		if !private || i < len(s.updates)-1 {
			unfit = c.Detach(value) // copy what fn put in, since the next function may change it
		}
	}
	if s.mu.Misuse != nil {
		return nil, nil, s.mu.Misuse
	}
	// This comes first: what cannot be encoded (a function, NaN) cannot be compared either.
	if body, err = c.Encode(value); err != nil {
		return nil, nil, err
	}
	if !private && unfit != nil {
		return nil, nil, unfit
	}
	if s.outside != "" {
		return nil, nil, s.unrepeatable(value)
	}
	if s.viewed && !c.Same(value, &s.view) {
		if !private {
			return nil, nil, s.unrepeatable(value)
		}
		// What fn put in may only have another form than in the view.
		if err := c.Detach(value); err != nil {
			return nil, nil, err
		}
		if !c.Same(value, &s.view) {
			return nil, nil, s.unrepeatable(value)
		}
	}
	if private {
		value = &s.view
	}
	if err := c.Normalize(value, body); err != nil || s.m.policy.holdsLargeIntegers() {
		return value, body, err
	}
	was, err := c.Encoding(s.doc)
	if err == nil {
		err = c.CheckNumbers(was, body)
	}
	return value, body, err
}

// look makes the view if there is none yet. A document that was decoded once can be copied
// or decoded again, so this does not fail.
func (s *Session[T]) look() *T {
	if !s.viewed && s.state <= stateStored {
		if err := s.m.codec.Copy(s.doc, &s.view); err == nil {
			s.viewed = true
			for _, fn := range s.updates { // of a view that a failed save has dropped
				s.apply(fn, &s.view)
				_ = s.m.codec.Detach(&s.view)
			}
		}
	}
	return &s.view
}

func (s *Session[T]) update(fn func(*T)) {
	s.changing()
	view := s.look()
	s.noticeOutside()
	if s.shown { // do not change what Data returned
		_ = s.m.codec.Detach(view)
		s.shown = false
	}
	s.apply(fn, view)
	_ = s.m.codec.Detach(view) // the save returns its error
	if s.updates == nil {
		s.updates = s.few[:0]
	}
	s.updates = append(s.updates, fn)
}

// forget drops the view and the recorded functions.
func (s *Session[T]) forget() {
	s.unview()
	s.few, s.updates = [2]func(*T){}, nil
}

// unview drops the view, which is made again when it is needed.
func (s *Session[T]) unview() {
	var none T
	s.view, s.viewed, s.shown = none, false, false
	s.outside, s.reference = "", nil
}

// changing records the caller that changes the session. Handlers of HandlerFunc do not need
// this, because a panic passes through HandlerFunc.
func (s *Session[T]) changing() {
	if s.over {
		s.tooLate()
	}
	if s.traced.Load() {
		s.trace.Take()
	}
}

// left reports whether the function that last changed the session has returned, and the
// callers of its helpers too. stack is what runs now.
func (s *Session[T]) left(stack []string) bool {
	s.mu.Lock()
	changed := s.trace.Names()
	s.mu.Unlock()
	return frames.Abandoned(changed, stack)
}

// apply runs a function given to Update. The session is locked.
//
//go:noinline
func (s *Session[T]) apply(fn func(*T), data *T) {
	defer s.mu.End()
	s.mu.Begin(reflect.ValueOf(fn).Pointer())
	fn(data)
}

// pathOf returns the path at which two values differ, "" if they are equal.
func pathOf[T any](a, b *T) string {
	f := clone.Differing{Exactly: true}.Find(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), clone.MaxDepth)
	if f == nil {
		return ""
	}
	return strings.TrimPrefix(f.Path, ".")
}

// show records that Data returns the view. If there are updates, it keeps a copy to compare
// with. Without updates the document holds the same data.
func (s *Session[T]) show() {
	if !s.shown && len(s.updates) > 0 && s.m.codec.Shares() {
		var copied T
		if s.m.codec.CopyValue(&s.view, &copied) == nil {
			s.reference = &copied
		}
	}
	s.shown = true
}

// noticeOutside checks whether what Data returned was modified in place, before the view
// changes.
func (s *Session[T]) noticeOutside() {
	if s.outside != "" || !s.viewed || !s.shown || !s.m.codec.Shares() {
		return
	}
	reference := s.reference
	if len(s.updates) == 0 {
		reference = &s.doc.Value
	}
	if reference != nil && !s.m.codec.Same(reference, &s.view) {
		s.outside = pathOf(reference, &s.view)
	}
	s.reference = nil
}

// unrepeatable finds out why a replay differs from the view, and returns the error.
func (s *Session[T]) unrepeatable(value *T) error {
	e := &UnrepeatableError{Cause: CauseOutside, Key: pathOf(value, &s.view)}
	s.noticeOutside()
	if s.outside != "" {
		e.Key = s.outside
		return e
	}
	e.Cause = CauseFunction
	if len(s.updates) == 0 {
		e.Cause = CauseOutside // for a value that decodes differently each time
		return e
	}
	fn := s.suspect(e.Key)
	if fn == nil {
		return e
	}
	if f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()); f != nil {
		e.Function = f.Name()
		e.File, e.Line = f.FileLine(f.Entry())
	}
	return e
}

// suspect returns the recorded function that is not repeatable: the first one that gives
// two results when it runs twice. If there is none, because a function may differ only in
// its first run, it returns the only function, or the only one that changes the key. nil
// means unknown.
func (s *Session[T]) suspect(key string) func(*T) {
	c := &s.m.codec
	if len(s.updates) == 1 {
		return s.updates[0]
	}
	var a, b T
	if c.Copy(s.doc, &a) != nil || c.Copy(s.doc, &b) != nil {
		return nil
	}
	var touching []func(*T)
	for _, fn := range s.updates {
		var before T
		known := c.CopyValue(&a, &before) == nil
		fn(&a)
		fn(&b)
		if c.Detach(&a) != nil || c.Detach(&b) != nil {
			return nil
		}
		if !c.Same(&a, &b) {
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

// top returns the top-level member of a path.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}

// replayAtEnd is replay for the save at the end of a request. If a page has called no
// Update and only reorders its data to show them, its response must still be sent, and
// nothing of that is saved. If Save has already returned the error to the application, it
// is an error here too.
func (s *Session[T]) replayAtEnd(ctx context.Context) (*T, []byte, error) {
	told := s.reportedOutside
	value, body, err := s.replay()
	if told || len(s.updates) > 0 || !errors.Is(err, ErrUnrepeatable) {
		return value, body, err
	}
	s.m.changedOutside(ctx, err, s.owner, s.key)
	s.forget()
	return s.replay()
}
