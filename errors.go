package session

import (
	"errors"
	"fmt"

	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/store"
)

// The sentinels of this package; compare with [errors.Is]. Those of the store
// ([store.ErrNotFound] and its like) come back wrapped where a store gave them.
var (
	// ErrRevoked says that the session has ended: it was destroyed, regenerated,
	// revoked or has expired, here or elsewhere. Nothing brings it back.
	ErrRevoked = errors.New("session: session has ended")

	// The ways in which a session ends, as far as they are known where it is noticed;
	// each of them is an ErrRevoked. What happened on another node is only known to be
	// one of the first three.
	ErrDestroyed   = fmt.Errorf("%w: destroyed", ErrRevoked)
	ErrRegenerated = fmt.Errorf("%w: regenerated", ErrRevoked)
	ErrExpired     = fmt.Errorf("%w: timeout", ErrRevoked)
	ErrLoggedIn    = fmt.Errorf("%w: the user logged in, which began another", ErrRevoked)

	// ErrNoOwner says that a method that takes an owner was given "". A visitor who is not
	// logged in has no owner, and must not be taken for everybody.
	ErrNoOwner = errors.New(`session: the owner is "", which names nobody: log in first; ` +
		`an operator who wants the sessions of everybody calls Manager.ListAll`)

	// ErrClosed says that the manager was closed.
	ErrClosed = errors.New("session: manager was closed")

	// ErrUnrepeatable says that running the functions given to [Session.Update]
	// again gave other data than the first time, or that the data were changed
	// outside Update (through a map, a slice or a pointer that Data returned). Such
	// a change would be lost at the first conflict between two requests, so it
	// fails now. Read clocks and random sources before Update, and capture the values.
	// The error is an [*UnrepeatableError], which says the key and the function. Data
	// that were changed in place by a request with no Update fail Save alone: at the
	// request's end nothing of them is saved, [ReasonOutside] tells, the page goes out.
	ErrUnrepeatable = errors.New("session: a function given to Update is not repeatable, or data were changed outside Update")

	// ErrHeaderSent says that the response's header has left, so that the client
	// cannot be told of the new session any more. Call the method before the first
	// Write, WriteHeader or Flush.
	ErrHeaderSent = errors.New("session: the response header has been sent")

	// ErrNotSaved says that Reload was called on a session that no store has yet.
	ErrNotSaved = errors.New("session: session was never saved")

	// ErrOutsidePath says that the request's path is not covered by Cookie.Path:
	// the browser neither sends nor keeps the cookie there.
	ErrOutsidePath = errors.New("session: request path is outside Cookie.Path")

	// ErrNoHandler says that the context does not come from a request that passed
	// through this manager's Handler or HandlerFunc.
	ErrNoHandler = errors.New("session: no Handler of this manager in the request's chain")

	// ErrTooLarge says that the session's document is larger than Config.MaxBytes.
	ErrTooLarge = errors.New("session: document is larger than Config.MaxBytes")

	// ErrReservedKey says that the data have a top-level key that belongs to the
	// stored form or is listed in Config.Express.ReservedKeys.
	ErrReservedKey = document.ErrReservedKey

	// ErrUnstorable says that the data hold something that would not come back from a
	// store as it is: text that is not UTF-8, NaN, what a type's own encoding leaves out.
	// Nothing is stored. The error names the key, and says what to do.
	ErrUnstorable = clone.ErrUnstorable

	// ErrInsecure says that a session was not saved because its cookie is Secure
	// and the request came over plain HTTP, so that no client could ever return to it.
	ErrInsecure = errors.New("session: a Secure cookie cannot be sent over plain HTTP")
)

// isOver reports whether an error of [Manager.load] says that the session has ended.
func isOver(err error) bool {
	superseded := (*supersededError)(nil)
	return errors.Is(err, store.ErrNotFound) || errors.As(err, &superseded)
}

// storeError marks what went wrong in the store, which is answered by 503: the
// request may be right, and right again later.
type storeError struct{ err error }

func (e *storeError) Error() string { return "session: " + e.err.Error() }

func (e *storeError) Unwrap() error { return e.err }

// undecodableError says that a record is there and its data make no sense to us.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string { return "session: stored document: " + e.err.Error() }

func (e *undecodableError) Unwrap() error { return e.err }

// supersededError says that another request has ended the session a moment ago, or has
// put a login's in its place.
type supersededError struct {
	successor string // of a login: the key of the new session
	carry     bool   // which has the data of the old one
	past      bool   // that was so long ago that the id is like any other that is not known
}

func (e *supersededError) Error() string { return "session: superseded by another request" }

var (
	errAbsolute    = fmt.Errorf("%w: absolute timeout", store.ErrExpired)
	errOtherRecord = errors.New("the store answered another record than the one asked for")
)

// ErrReentrant says that the session was asked for where it is locked: by a callback of
// the Config, an event or a store, for which [Manager.Load] returns it, or by a function
// given to [Session.Update] that calls a method of the session. Then the save fails with
// it, and the text names the line. Take what the function needs before Update.
var ErrReentrant = frames.ErrReentrant

// Cause says which of two mistakes an [UnrepeatableError] is about.
type Cause string

// The causes of an [UnrepeatableError].
const (
	// CauseFunction: a function given to Update gave something else when it ran again.
	CauseFunction Cause = "a function given to Update is not repeatable"
	// CauseOutside: something that Data returned was changed in place.
	CauseOutside Cause = "data were changed outside Update"
)

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
