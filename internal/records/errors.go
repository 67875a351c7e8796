package records

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// The errors of package session that this package returns, or by which it decides.
var (
	ErrRevoked         = errors.New("session: session has ended")
	ErrExpired         = fmt.Errorf("%w: timeout", ErrRevoked)
	ErrLoggedIn        = fmt.Errorf("%w: the user logged in and has a new session", ErrRevoked)
	ErrDisplaced       = fmt.Errorf("%w: newer logins of the owner have reached Config.MaxPerOwner", ErrRevoked)
	ErrTooManySessions = errors.New("session: the owner has as many sessions as Config.MaxPerOwner allows")
	ErrNoOwner         = errors.New(`session: the owner is "": call Login first; ` +
		`to list the sessions of all owners, call Manager.ListAll`)
	ErrTooLarge = errors.New("session: document is larger than Config.MaxBytes")
)

// ErrAbsolute means that the absolute timeout has ended a session whose record still exists.
var ErrAbsolute = fmt.Errorf("%w: absolute timeout", store.ErrExpired)

// ErrAgain means that another request has written first: load the record and try again.
var ErrAgain = errors.New("session: another request has saved first")

var errOtherRecord = errors.New("the store returned another record than the one requested")

// Failure is an error of the store. It is answered with status 503, since the same request
// may succeed later.
type Failure struct{ Err error }

// Failed returns the error of the store with what it happened in.
func Failed(what string, err error) *Failure { return &Failure{fmt.Errorf("%s: %w", what, err)} }

func (e *Failure) Error() string { return "session: " + e.Err.Error() }

func (e *Failure) Unwrap() error { return e.Err }

// Undecodable means that a record exists and its data cannot be decoded.
type Undecodable struct{ Err error }

func (e *Undecodable) Error() string { return "session: stored document: " + e.Err.Error() }

func (e *Undecodable) Unwrap() error { return e.Err }

// Superseded means that another request has recently ended the session, or has replaced it
// with the session of a login.
type Superseded struct {
	Successor string // after a login: the key of the new session
	Carry     bool   // the new session has the data of the old one
	Past      bool   // it was so long ago that the id counts as unknown

	With document.Opener // of the new session, where Carry is true and the caller may change it
}

func (e *Superseded) Error() string { return "session: superseded by another request" }

// CarriesOn returns the error that says which session has the data of this one since a
// login; nil if err does not say so.
func CarriesOn(err error) *Superseded {
	if e := (*Superseded)(nil); errors.As(err, &e) && e.Carry && e.Successor != "" {
		return e
	}
	return nil
}

// IsOver reports whether an error of [Records.Load] means that the session has ended.
func IsOver(err error) bool {
	superseded := (*Superseded)(nil)
	return errors.Is(err, store.ErrNotFound) || errors.As(err, &superseded)
}

// Definite reports whether a failed write is known to have had no effect.
func Definite(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrFull)
}

// CheckOwner returns an error if a store would return another owner.
func CheckOwner(owner string) error {
	if utf8.ValidString(owner) {
		return nil
	}
	return errors.New("session: the owner is not UTF-8 text, so the store would return another one; use the user's number or an encoding")
}

// CheckLogin returns an error for an owner or methods that a login cannot have. Methods are
// stored with spaces between them.
func CheckLogin(owner string, methods []string) error {
	if owner == "" {
		return ErrNoOwner
	}
	for _, m := range methods {
		if m == "" || !utf8.ValidString(m) || strings.ContainsFunc(m, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return fmt.Errorf("session: the method of authentication %q is not a word; write one such as password, without spaces", m)
		}
	}
	return CheckOwner(owner)
}

// Fits returns [ErrTooLarge] if a document is larger than allowed. What it says of the device
// does not count: it is small, and a visit from elsewhere must not fail a save or a touch.
func (r *Records) Fits(data []byte, device *document.Device) error {
	if n := len(data) - device.Len(); n > r.MaxBytes {
		return fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, n, r.MaxBytes)
	}
	return nil
}
