// Package store is the contract between sessions and the place that keeps them.
//
// A [Store] is five methods around compare-and-swap on bytes. Cookies, replayed updates
// and rotated ids are implemented once, above it, in package session. A store that can do
// more implements an optional interface; callers find it with [As], also behind a
// decorator. Package storetest checks that a store fulfils this contract.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The errors of the contract. A store may wrap them to add context; callers compare
// with [errors.Is].
var (
	// ErrNotFound says that the store has no live record with the id.
	ErrNotFound = errors.New("store: no such session")

	// ErrExpired is an [ErrNotFound] from a store that knows that the record existed
	// and has expired. A store that does not know returns ErrNotFound.
	ErrExpired = fmt.Errorf("%w: expired", ErrNotFound)

	// ErrExists says that Create found a live record with the id.
	ErrExists = errors.New("store: session exists")

	// ErrConflict says that the record was written after the caller read it: load it
	// again.
	ErrConflict = errors.New("store: session changed meanwhile")

	// ErrFull says that a bounded store has no room for the session and is configured
	// not to evict others.
	ErrFull = errors.New("store: full")

	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Version identifies one write of a record. It is opaque: compare it for equality only,
// with a version of the same id. No store returns zero, which means no version.
//
// An id never gets the same version twice, not by an Update that writes the same content
// and not after Delete and Create: otherwise a caller with an old version would take the
// new record for the one that it has read. Stores that share their table with other
// programs are an exception: they may derive the version from what is stored, so that a
// write by another program changes it. Then the same content has the same version.
type Version uint64

// Record is a session in a store.
type Record struct {
	// ID is the key, by default a hash of the id in the cookie. It is any text but the
	// empty one; stores compare it byte for byte.
	ID string

	// Owner says whose session it is ("user:42"), for [Lister]; "" if it has no owner.
	Owner string

	// Data is the session's document. A store returns it byte for byte. A caller must
	// not modify bytes that a store has returned, and a store must not modify bytes
	// that it has received or returned. Package session writes JSON; a store with a
	// column of text or JSON may refuse anything else.
	Data []byte

	// Expires is when the store stops returning the record; it is exact to the
	// millisecond or better. A record with the zero time does not expire.
	Expires time.Time

	// Version is set by Load and List; Update compares it.
	Version Version
}

// Store keeps records. Its methods are safe for concurrent use and return when ctx ends.
// They never return a record that has expired without an error.
type Store interface {
	// Load returns the live record with the id, or [ErrNotFound]. A store that still
	// has an expired record may return it with [ErrExpired]. The record's ID is id: a
	// store never returns another record.
	Load(ctx context.Context, id string) (Record, error)

	// Create stores a new record and returns its version; it ignores r.Version. If
	// there is a live record with the same ID, Create leaves it unchanged and returns
	// [ErrExists]; an expired one it replaces. A bounded store may return [ErrFull].
	Create(ctx context.Context, r Record) (Version, error)

	// Update replaces owner, data and expiry of the record r.ID if its version is
	// r.Version, and returns the new version. It returns [ErrConflict] if the record
	// has another version, and [ErrNotFound] if there is none or it has expired; it
	// never creates a record. Of several updates of one version exactly one succeeds.
	// A bounded store may return [ErrFull] if the record grows, and leaves it
	// unchanged then.
	Update(ctx context.Context, r Record) (Version, error)

	// Touch changes only the expiry; the version may change or not. It returns
	// [ErrNotFound] if there is no live record: it never creates a record, and never
	// revives an expired one.
	Touch(ctx context.Context, id string, expires time.Time) error

	// Delete removes the record. It is not an error if there is none.
	Delete(ctx context.Context, id string) error
}
