package session

import (
	"errors"
	"fmt"

	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/records"
)

// The errors of this package. Compare with [errors.Is]. Errors of the store, such as
// [store.ErrNotFound], are returned wrapped.
var (
	// ErrRevoked means that the session has ended: it was destroyed, regenerated or
	// revoked, or it has expired, on this node or another. It cannot be used again.
	ErrRevoked = records.ErrRevoked

	// ErrDestroyed, ErrRegenerated, ErrExpired and ErrLoggedIn say how the session ended,
	// if that is known. Each of them is an ErrRevoked. A session that was destroyed,
	// regenerated or revoked on another node gives only ErrRevoked.
	ErrDestroyed   = fmt.Errorf("%w: destroyed", ErrRevoked)
	ErrRegenerated = fmt.Errorf("%w: regenerated", ErrRevoked)
	ErrExpired     = records.ErrExpired
	ErrLoggedIn    = records.ErrLoggedIn

	// ErrDisplaced is an ErrRevoked, too: newer logins of the owner have ended the session,
	// because of Config.MaxPerOwner.
	ErrDisplaced = records.ErrDisplaced

	// ErrTooManySessions means that Login was refused because of Config.MaxPerOwner. With
	// [RefuseLogin] the owner has as many sessions as allowed. With [EndOldest] as many newer
	// logins of the owner have come in during this one.
	ErrTooManySessions = records.ErrTooManySessions

	// ErrNoOwner means that owner is "". A visitor who is not logged in has no owner, and
	// "" must not stand for everybody.
	ErrNoOwner = records.ErrNoOwner

	// ErrLapsed is the cause of a context whose request's proof is too old (see [Guard]).
	// The session goes on, and the client may connect again.
	ErrLapsed = errors.New("session: the proof that the request brought is too old")

	// ErrClosed means that the manager is closed.
	ErrClosed = errors.New("session: manager was closed")

	// ErrUnrepeatable means that the functions given to [Session.Update] produced other
	// data when they ran again, or that the data were modified outside Update, through a
	// map, slice or pointer that Data returned. Such a change would be lost at the first
	// conflict between two requests, so the save fails at once. Read clocks and random
	// sources before Update, and capture the values.
	//
	// The error is an [*UnrepeatableError], which names the key and the function. If a
	// request calls no Update and modifies the data in place, only Save returns the error.
	// At the end of such a request nothing of the modified data is saved, an event with
	// [ReasonOutside] reports it, and the response is sent.
	ErrUnrepeatable = document.ErrUnrepeatable

	// ErrSealed means that only a request with the session's cookie can read or change the
	// session's data; see Config.Seal.
	ErrSealed = document.ErrSealed

	// ErrHeaderSent means that the response's headers are sent, so the client cannot get
	// the session's new cookie any more. Call the method before the first Write,
	// WriteHeader or Flush.
	ErrHeaderSent = errors.New("session: the response header has been sent")

	// ErrNotSaved means that the session is not in the store yet.
	ErrNotSaved = errors.New("session: session was never saved")

	// ErrOutsidePath means that Cookie.Path does not cover the request's path, so the
	// browser does not send the cookie there.
	ErrOutsidePath = errors.New("session: request path is outside Cookie.Path")

	// ErrNoToken means that there is no token that the client of this request may get: see
	// [Session.Token].
	ErrNoToken = errors.New("session: no token for this request")

	// ErrNoHandler means that the context does not belong to a request that passed through
	// this manager's Handler or HandlerFunc.
	ErrNoHandler = errors.New("session: no Handler of this manager in the request's chain")

	// ErrTooLarge means that the session's document is larger than Config.MaxBytes.
	ErrTooLarge = records.ErrTooLarge

	// ErrReservedKey means that the data have a top-level key that the stored document
	// needs for itself, or that is in Config.Express.ReservedKeys.
	ErrReservedKey = document.ErrReservedKey

	// ErrUnstorable means that the data hold a value that would change when it is stored
	// and loaded: text that is not UTF-8, NaN, or something that a type's own encoding
	// omits. Nothing is stored. The error names the key and says what to do.
	ErrUnstorable = clone.ErrUnstorable

	// ErrInsecure means that the session was not saved, because its cookie is Secure and
	// the request came over plain HTTP. No client could return to that session.
	ErrInsecure = errors.New("session: a Secure cookie cannot be sent over plain HTTP")
)

// ErrReentrant means that code used the session while it was locked. [Manager.Load] returns
// it in a callback of the Config, of an event or of a store. A save fails with it if a
// function given to [Session.Update] calls a method of the session; the text then names the
// line. Get what the function needs before Update.
var ErrReentrant = frames.ErrReentrant

// Cause says which of two mistakes caused an [UnrepeatableError].
type Cause string

// The causes of an [UnrepeatableError].
const (
	// CauseFunction means that a function given to Update produced something else when it
	// ran again.
	CauseFunction Cause = "a function given to Update is not repeatable"
	// CauseOutside means that something that Data returned was modified in place.
	CauseOutside Cause = "data were changed outside Update"
)

// UnrepeatableError is the [ErrUnrepeatable] that a save returns.
type UnrepeatableError struct {
	Cause Cause

	// Key is where the data differ, such as items[2].name.
	Key string

	// Function, File and Line describe the function that was given to Update, if Cause is
	// CauseFunction. They are "" and 0 if there were several and it is unknown which one it
	// was.
	Function, File string
	Line           int
}

func (e *UnrepeatableError) Error() string {
	if e.Cause == CauseOutside {
		return fmt.Sprintf("session: %s: the key %q differs, because the value that Data returned was modified in place; modify a copy, or use Update", e.Cause, e.Key)
	}
	where := "one of the functions given to Update"
	if e.File != "" {
		where = fmt.Sprintf("the function at %s:%d", e.File, e.Line)
	}
	return fmt.Sprintf("session: %s: the key %q differs when %s runs again; read clocks, random sources and requests' bodies before Update, and capture the values", e.Cause, e.Key, where)
}

// Is makes errors.Is(err, ErrUnrepeatable) true.
func (e *UnrepeatableError) Is(target error) bool { return target == ErrUnrepeatable }
