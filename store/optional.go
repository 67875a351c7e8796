package store

import (
	"context"
	"crypto/sha256"
	"iter"
	"time"
)

// Lister is a [Store] that can list its sessions. With a store that is not a Lister,
// listing and revoking by owner return [errors.ErrUnsupported].
type Lister interface {
	// List yields the live records of the owner, or with owner "" all of them, in
	// no particular order. A record that lives throughout the iteration is yielded
	// exactly once; one that is created or removed meanwhile may be yielded or not. An
	// error is yielded last, with a zero Record. The loop may stop early, and its body
	// may call the store. List does not hold all records in memory at once.
	List(ctx context.Context, owner string) iter.Seq2[Record, error]
}

// Event is a change that a [Watcher] reports.
type Event struct {
	// ID is the record that changed or ended. "" means that some events may have
	// been missed: recheck everything. If Digest is set, that record is enough.
	ID string

	// Digest, in an event without an ID, is the [DigestOf] the ID of the one record
	// that changed or ended. A store reports it in place of the ID if other programs
	// can read its notifications: a database, for example, sends them to every role.
	Digest Digest

	// Ended says that the record was removed or has expired. If it is false, the record
	// has changed, or the store does not know: load it to find out.
	Ended bool

	// Version is the record's version after the change; a caller that has this version
	// has missed nothing. 0: not known.
	Version Version

	// Whole, in an event without an ID and a Digest, says that nothing was missed: every
	// change made before this moment has been reported. A store behind a network
	// reports it every second or so. If it stays away, the connection is dead, even if
	// nothing else shows it.
	Whole time.Time
}

// Concerns reports whether the record with the id may be the one that changed or ended.
func (e Event) Concerns(id string) bool {
	switch {
	case e.ID != "":
		return e.ID == id
	case e.Digest != Digest{}:
		return e.Digest == DigestOf(id)
	}
	return e.Whole.IsZero()
}

// Digest identifies a record for a caller that knows its ID, and does not reveal the ID.
type Digest [16]byte

// DigestOf is the first half of the SHA-256 of id.
func DigestOf(id string) Digest {
	sum := sha256.Sum256([]byte(id))
	return Digest(sum[:len(Digest{})])
}

// Watcher is a [Store] that reports changes, whoever made them. Without it,
// callers poll.
type Watcher interface {
	// Watch calls fn for each event until ctx ends, and returns the reason. The first
	// event is the zero Event: Watch reports all changes from then on, and changes
	// before it may have been missed. If a connection breaks, Watch connects again and
	// then reports another zero Event. It returns early, with an error, only if it
	// cannot continue; callers then recheck everything and call Watch again.
	//
	// Watch reports an Update and a Delete of a record, and whatever moves its expiry
	// to an earlier time. It may or may not report the creation of a record, and what
	// only moves the expiry to a later time, as Touch mostly does: a caller that keeps
	// a record loads it again when the expiry that it knows has come. Watch calls fn
	// for one event at a time. fn may call the store; writers do not wait for it.
	Watch(ctx context.Context, fn func(Event)) error
}

// Sweeper is a [Store] whose expired records take room until a sweep removes them. Other
// stores remove expired records without a sweep.
type Sweeper interface {
	// Sweep removes expired records, in bounded batches, and returns their number.
	Sweep(ctx context.Context) (removed int, err error)
}

// Pinger is a [Store] that can check whether sessions can be loaded and saved. With a
// store that is not a Pinger, a health check loads an id that does not exist, which does
// not show whether saving works.
type Pinger interface {
	// Ping returns nil if a session could be loaded and saved at this moment. It returns
	// an error if, for example, the server takes no writes, the disk is full or the
	// file was deleted. It stores nothing, and is cheap enough to be called every second.
	Ping(ctx context.Context) error
}

// SinceLoader is a [Store] that need not return again what the caller has read. It is for
// callers that keep what they decoded. Only a store that never gives an id the same version
// twice, see [Version], may be a SinceLoader.
//
// Look for it with a type assertion on the store itself, not with [As]: a store in front of
// another may answer a Load differently.
type SinceLoader interface {
	// LoadSince is Load, except that Data is nil if the record still has the version
	// have. Owner may then be empty, too, because it is a copy: both are what they were
	// when the caller read this version. ID, Expires and Version are always set. Version 0
	// is no version, so LoadSince with 0 is Load. If the version is have, LoadSince copies
	// and allocates nothing.
	LoadSince(ctx context.Context, id string, have Version) (Record, error)
}

// Unwrapper is a store in front of another, such as a cache.
type Unwrapper interface {
	Unwrap() Store
}

// As finds the first store in a chain of [Unwrapper] that is a C, as [errors.As] does for
// errors. Use it in place of a type assertion.
func As[C any](s Store) (C, bool) {
	for s != nil {
		if c, ok := s.(C); ok {
			return c, true
		}
		u, ok := s.(Unwrapper)
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var none C
	return none, false
}
