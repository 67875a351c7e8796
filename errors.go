package session

import (
	"errors"
	"fmt"
	"github.com/nestsession/session/internal/clone"
	"github.com/nestsession/session/internal/document"
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
