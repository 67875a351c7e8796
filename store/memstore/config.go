package memstore

import (
	"log/slog"
	"time"
)

// The limits of the zero [Config].
const (
	DefaultMaxSessions   = 1_000_000
	DefaultMaxBytes      = 512 << 20
	DefaultSweepInterval = time.Minute

	// DefaultSnapshotInterval is for a store of [Open].
	DefaultSnapshotInterval = 5 * time.Minute
)

// NoLimit as the value of a limit means that there is none.
const NoLimit = -1

// RecordOverhead is what each session counts in bytes in addition to its id, owner and
// data: an estimate of the memory for the store's tables. Most documents of sessions take less
// memory than they count, because the store keeps once what they have in common.
const RecordOverhead = 64

// AtLimit says what a [Store] does with a session for which it has no room.
type AtLimit uint8

const (
	// EvictLeastRecentlyUsed makes room by removing the sessions that were loaded,
	// written or touched the longest ago. The order is exact to a microsecond.
	// [Stats.Evicted] counts them.
	EvictLeastRecentlyUsed AtLimit = iota

	// Refuse keeps the sessions and returns [store.ErrFull].
	Refuse
)

// Config says how much a [Store] keeps. The zero Config is ready to use.
type Config struct {
	// MaxSessions is the most sessions to keep, including expired sessions that were not
	// swept yet. 0: [DefaultMaxSessions]. [NoLimit]: any number.
	MaxSessions int

	// MaxBytes limits the sum over all sessions of id, owner, data and
	// [RecordOverhead]. 0: [DefaultMaxBytes]. [NoLimit]: any number. A session that
	// would not fit into an empty store always gets [store.ErrFull].
	MaxBytes int64

	// AtLimit is what happens when one of the two limits is reached. The zero value is
	// [EvictLeastRecentlyUsed].
	AtLimit AtLimit

	// SweepInterval is how long an expired session may take room. 0:
	// [DefaultSweepInterval]. Negative: until [Store.Sweep] is called or the room is
	// needed.
	SweepInterval time.Duration

	// SnapshotInterval is how often a store of [Open] writes its sessions to its file, and
	// begins another journal of the changes since then. The file is written earlier if the
	// journal grows large. 0: [DefaultSnapshotInterval]. Negative: only Close writes the
	// file, and Open removes it once it is restored; there is no journal, so that after a
	// crash all sessions are lost. A store of [New] has no file.
	SnapshotInterval time.Duration

	// Logger is where a store of [Open] reports that it could not write a snapshot, or a
	// change, between Open and Close; Close returns such an error. Nil: slog.Default().
	Logger *slog.Logger

	// Now is the clock that decides whether a session has expired. Nil: the system's.
	// Several goroutines call it at the same time. It must not call the store.
	Now func() time.Time
}

// Stats are the counts of a [Store].
type Stats struct {
	Sessions int64  // kept now, including expired ones that were not swept yet
	Bytes    int64  // their size, as [Config.MaxBytes] measures it
	Evicted  uint64 // live sessions removed to make room
	Refused  uint64 // writes that returned [store.ErrFull]
	Expired  uint64 // expired sessions removed
}
