// Package store is the contract between sessions and the place that keeps them.
//
// A [Store] swaps bytes and knows nothing of cookies, replay or rotation: five
// methods around compare-and-swap. Everything clever is written once, above it,
// in package session. What a store can do beyond the five methods it says by
// implementing an optional interface, which callers find with [As] so that
// decorators do not hide it. Package storetest checks that a store keeps this
// contract.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The sentinels of the contract. A store wraps them with context where it has
// some to give; callers compare with [errors.Is].
var (
	// ErrNotFound says that no live record is kept under the id.
	ErrNotFound = errors.New("store: no such session")

	// ErrExpired is an [ErrNotFound] of which the store knows that the record was
	// there and its time had passed. A store that cannot tell returns ErrNotFound.
	ErrExpired = fmt.Errorf("%w: expired", ErrNotFound)

	// ErrExists says that Create found a live record under the id.
	ErrExists = errors.New("store: session exists")

	// ErrConflict says that the record was written since the version at hand was
	// read: load it again.
	ErrConflict = errors.New("store: session changed meanwhile")

	// ErrFull says that a bounded store has no room for another session and is
	// set up to refuse rather than to evict.
	ErrFull = errors.New("store: full")

	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Version says which writing of a record was read. It is opaque: compare for
// equality only, with a version of the same id. Zero is no version, and no store
// hands it out.
//
// An id never gets a version that it had before, not by an Update that writes what is
// there already, and not after Delete and Create: who holds an old one would take another
// record for that which he has read. The exception are stores that share their table with
// programs that are not ours. They may derive it from what is stored, so that a foreign
// write is seen as well; then the same content has the same version.
type Version uint64

// Record is a session as a store keeps it.
type Record struct {
	// ID is the key, by default a hash of the id in the cookie. Any non-empty
	// text; stores compare it byte for byte.
	ID string

	// Owner says whose session it is ("user:42"), for [Lister]; "" for nobody's.
	Owner string

	// Data is the session's document. Who receives it does not change the bytes,
	// and neither does the store after it has handed them out or taken them in.
	// Stores answer it byte for byte. Package session writes JSON; a store that
	// shares a column of text or JSON may refuse anything else.
	Data []byte

	// Expires is when the record stops being answered, to the millisecond at
	// least. The zero time means that it does not expire by itself.
	Expires time.Time

	// Version is set by Load and List; Update compares it.
	Version Version
}

// Store keeps records. Its methods are safe for concurrent use, return when ctx
// ends, and never answer without an error a record whose Expires is not after the present.
type Store interface {
	// Load returns the live record kept under id, or [ErrNotFound] (perhaps as
	// [ErrExpired], with the record that was there if it still is, which tells the
	// caller what has expired). The record's ID is id: never is another one answered.
	Load(ctx context.Context, id string) (Record, error)

	// Create keeps a new record and returns its version; r.Version is ignored. A
	// live record under the same ID is left as it is: [ErrExists]. One that has
	// expired is replaced. A bounded store may return [ErrFull].
	Create(ctx context.Context, r Record) (Version, error)

	// Update replaces owner, data and expiry of the record that is kept under
	// r.ID in the version r.Version, and returns the new version. Another version
	// is kept: [ErrConflict]. None is kept, or it has expired: [ErrNotFound]; it
	// never creates. Of several updates of one version exactly one succeeds. A
	// bounded store may return [ErrFull] if the record grows, and leaves it then.
	Update(ctx context.Context, r Record) (Version, error)

	// Touch moves the expiry alone, and may leave the version as it is. No live
	// record: [ErrNotFound]; it never creates, and never revives an expired one.
	Touch(ctx context.Context, id string, expires time.Time) error

	// Delete removes the record. That there is none is no error.
	Delete(ctx context.Context, id string) error
}
