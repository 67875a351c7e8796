package memstore

import "time"

// The limits of the zero [Config].
const (
	DefaultMaxSessions   = 1_000_000
	DefaultMaxBytes      = 512 << 20
	DefaultSweepInterval = time.Minute
)

// NoLimit lifts the limit that it is given for.
const NoLimit = -1

// RecordOverhead is what each session counts in bytes beside its id, owner and
// data: an estimate of what the tables around it take.
const RecordOverhead = 256

// AtLimit says what becomes of a session for which there is no room.
type AtLimit uint8

const (
	// EvictLeastRecentlyUsed makes room by ending the sessions that were loaded,
	// written or touched the longest ago. The order is exact to the resolution of
	// the clock. [Stats.Evicted] counts them.
	EvictLeastRecentlyUsed AtLimit = iota

	// Refuse keeps what is there and answers [store.ErrFull].
	Refuse
)

// Config says how much a [Store] keeps. The zero Config is ready for use.
type Config struct {
	// MaxSessions is how many sessions are kept, those that have expired and were
	// not swept yet included. 0: [DefaultMaxSessions]. [NoLimit]: any number.
	MaxSessions int

	// MaxBytes limits the sum over all sessions of id, owner, data and
	// [RecordOverhead]. 0: [DefaultMaxBytes]. [NoLimit]: any number. A session that
	// would not fit into an empty store is refused with [store.ErrFull] in any case.
	MaxBytes int64

	// AtLimit is what happens where one of the two is reached. The zero value is
	// [EvictLeastRecentlyUsed].
	AtLimit AtLimit

	// SweepInterval is how long expired sessions may go on taking room. 0:
	// [DefaultSweepInterval]. Negative: they go when [Store.Sweep] is called or
	// when the room is needed.
	SweepInterval time.Duration

	// Now is the clock that expiry is judged by. Nil: the system's. It is called
	// by several goroutines at once and must not call the store.
	Now func() time.Time
}

// Stats is what a [Store] holds and has done.
type Stats struct {
	Sessions int64  // kept now, expired ones that are not swept yet included
	Bytes    int64  // what they count, as [Config.MaxBytes] measures
	Evicted  uint64 // live sessions ended to make room
	Refused  uint64 // writes answered with [store.ErrFull]
	Expired  uint64 // expired sessions removed
}
