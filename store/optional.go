package store

import (
	"context"
	"crypto/sha256"
	"iter"
	"time"
)

// Lister is a [Store] that can say which sessions it keeps. Without it, listing
// and revoking by owner return [errors.ErrUnsupported].
type Lister interface {
	// List yields the live records of the owner, or with owner "" all of them, in
	// no particular order. A record that lives throughout the iteration is yielded
	// exactly once; one that comes or goes meanwhile may be or not. An error is
	// yielded last, with a zero Record. Breaking off is free, and the body of the
	// loop may call the store. It does not hold all records in memory at once.
	List(ctx context.Context, owner string) iter.Seq2[Record, error]
}

// Event tells of a change that a [Watcher] saw.
type Event struct {
	// ID is the record that changed or ended. "" means that some events may have
	// been missed: recheck everything. If Digest is set, that record is enough.
	ID string

	// Digest, in an event without an ID, is the [DigestOf] the ID of the one record
	// that changed or ended. A store sends it in place of the ID if others can read
	// what it is told: a database, for example, shows notifications to every role.
	Digest Digest

	// Ended says that the record is gone, or has expired. Without it, the record has
	// changed, or the store cannot tell: load it to know.
	Ended bool

	// Version is the one that the change gave the record; who has that already has
	// missed nothing. 0: not known.
	Version Version

	// Whole, in an event without an ID and a Digest, makes it another one: nothing was missed, and
	// every change that was made before that moment has been told. A watcher of a
	// store behind a network sends it every second or so, so that a connection that
	// is dead without saying so is noticed by its absence.
	Whole time.Time
}

// Concerns reports whether the record kept under id may have changed or ended by what
// the event tells.
func (e Event) Concerns(id string) bool {
	switch {
	case e.ID != "":
		return e.ID == id
	case e.Digest != Digest{}:
		return e.Digest == DigestOf(id)
	}
	return e.Whole.IsZero()
}

// Digest names a record to those who know its ID, and tells nobody else the ID.
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
	// event is the zero one: all changes from then on are told, those before it
	// may have been missed. Watch goes on by itself when a connection breaks, and then
	// sends such an event again. It
	// returns early, with an error, only if it cannot go on; callers then recheck
	// everything and watch anew. Update and Delete of a record are events, and so is
	// what brings its end nearer. What moves its expiry later and changes nothing
	// else, as most of Touch does, may be one, and so may its creation: who keeps a
	// record asks again when the expiry that it knows has come. fn is called for one
	// event at a time and may call the store; writers do not wait for it.
	Watch(ctx context.Context, fn func(Event)) error
}

// Sweeper is a [Store] whose expired records take room until somebody removes
// them. Stores without it expire by themselves.
type Sweeper interface {
	// Sweep removes expired records, in bounded batches, and returns how many.
	Sweep(ctx context.Context) (removed int, err error)
}

// Pinger is a [Store] that can be asked whether sessions can be loaded and saved.
// Without it, a health check loads an id that does not exist, which says nothing of
// saves.
type Pinger interface {
	// Ping is nil if a session could be loaded and saved at this moment. A server that
	// takes no writes, a full disk or a file that was deleted is an error. It keeps
	// nothing, and is cheap enough to be called every second.
	Ping(ctx context.Context) error
}

// Unwrapper is a store in front of another, such as a cache.
type Unwrapper interface {
	Unwrap() Store
}

// As finds the first store in the chain of [Unwrapper] that is a C, as
// [errors.As] does for errors. Use it in place of a type assertion.
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
