package session

import (
	"context"
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
)

// Cause says which of two mistakes an [UnrepeatableError] is about.
type Cause string

// The causes of an [UnrepeatableError].
const (
	// CauseFunction: a function given to Update gave something else when it ran again.
	CauseFunction Cause = "a function given to Update is not repeatable"
	// CauseOutside: something that Data returned was changed in place.
	CauseOutside Cause = "data were changed outside Update"
)

// ReasonOutside is the reason of an [EventDropped]: a request that recorded no Update
// changed in place what Data returned, as one that sorts a list to show it does. The
// page went out, and nothing was saved.
const ReasonOutside Reason = "data were changed outside Update"

// UnrepeatableError is the [ErrUnrepeatable] that a save returns.
type UnrepeatableError struct {
	Cause Cause

	// Key is where the data differ, such as items[2].name.
	Key string

	// Function, File and Line are of the function that was given to Update, with
	// CauseFunction. "" and 0 if there were several and it is not known which.
	Function, File string
	Line           int
}

func (e *UnrepeatableError) Error() string {
	if e.Cause == CauseOutside {
		return fmt.Sprintf("session: %s: the key %q differs, since what Data returned was changed in place; change a copy, or change it within Update", e.Cause, e.Key)
	}
	where := "one of the functions given to Update"
	if e.File != "" {
		where = fmt.Sprintf("the function at %s:%d", e.File, e.Line)
	}
	return fmt.Sprintf("session: %s: the key %q differs when %s runs again; read clocks, random sources and requests' bodies before Update, and capture the values", e.Cause, e.Key, where)
}

// Is makes errors.Is(err, ErrUnrepeatable) true.
func (e *UnrepeatableError) Is(target error) bool { return target == ErrUnrepeatable }

// pathOf is where two values differ, "" if nowhere.
func pathOf[T any](a, b *T) string {
	f := clone.Differing{Exactly: true}.Find(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), clone.MaxDepth)
	if f == nil {
		return ""
	}
	return strings.TrimPrefix(f.Path, ".")
}

// show takes note that Data hands the view out. Once there are updates, what it is then
// is kept to compare with: of data that nobody has changed the document has it.
func (s *Session[T]) show() {
	if !s.shown && len(s.updates) > 0 && s.m.codec.Shares() {
		var copied T
		if s.m.codec.CopyValue(&s.view, &copied) == nil {
			s.reference = &copied
		}
	}
	s.shown = true
}

// noticeOutside looks whether what Data returned was changed in place, before the view
// becomes another.
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

// unrepeatable finds out what is behind a replay that ended in another value than the
// view, and says it.
func (s *Session[T]) unrepeatable(value *T) error {
	e := &UnrepeatableError{Cause: CauseOutside, Key: pathOf(value, &s.view)}
	s.noticeOutside()
	if s.outside != "" {
		e.Key = s.outside
		return e
	}
	e.Cause = CauseFunction
	if len(s.updates) == 0 {
		e.Cause = CauseOutside // of a value that decoding gives otherwise each time
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

// suspect is the recorded function that is not repeatable: the first that gives two
// things when it runs twice more; else, since one may have been different the first
// time only, the only one, or the only one that has to do with the key. nil: not known.
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

// top is the member of the data that a path leads into.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}

// replayAtEnd is replay for the save at the end of a request. A page that shows its
// data otherwise than they are stored, and asked for no change, must go out: nothing
// is saved of it. Not so if the application was told, by Save, and goes on.
func (s *Session[T]) replayAtEnd(ctx context.Context) (*T, []byte, error) {
	told := s.told
	value, body, err := s.replay()
	if told || len(s.updates) > 0 || !errors.Is(err, ErrUnrepeatable) {
		return value, body, err
	}
	s.m.changedOutside(ctx, err, s.owner, s.key)
	s.forget()
	return s.replay()
}

// changedOutside reports it. The event comes each time, the warning once a minute.
func (c *core) changedOutside(ctx context.Context, err error, owner, key string) {
	c.emit(ctx, Event{Kind: EventDropped, Owner: owner, Reason: ReasonOutside, Err: err}, key)
	now := c.now().Unix()
	if last := c.warnedOutside.Load(); now-last < 60 || !c.warnedOutside.CompareAndSwap(last, now) {
		return
	}
	c.logger.LogAttrs(quietContext{ctx, c}, slog.LevelWarn, "session: a change was not saved, since it was made outside Update", slog.String("error", err.Error()))
}
