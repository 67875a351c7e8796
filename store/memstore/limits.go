package memstore

import (
	"math"
	"sync/atomic"
)

// limits counts what all shards keep. Room is reserved before a record is inserted and
// released after it was removed, so that the store never exceeds the limits.
type limits struct {
	maxSessions, maxBytes int64
	evicts                bool // make room by removing sessions; only for this the store keeps the order of use

	// Each write changes these, so that what it only reads is in other cache lines.
	_               [64]byte
	sessions, bytes atomic.Int64
	_               [64]byte

	evicted, refused, expired atomic.Uint64
}

func (l *limits) init(c Config) {
	or := func(v, def int64) int64 {
		switch {
		case v == 0:
			return def
		case v < 0:
			return math.MaxInt64
		}
		return v
	}
	l.maxSessions = or(int64(c.MaxSessions), DefaultMaxSessions)
	l.maxBytes = or(c.MaxBytes, DefaultMaxBytes)
	bounded := l.maxSessions != math.MaxInt64 || l.maxBytes != math.MaxInt64
	l.evicts = bounded && c.AtLimit != Refuse
}

// sizeOf is the size of a record as MaxBytes measures it.
func sizeOf(id, owner string, data []byte) int64 {
	return int64(len(id)+len(owner)+len(data)) + RecordOverhead
}

// reserve takes room for so many more sessions and bytes, or none and returns false. A
// negative size releases room.
func (l *limits) reserve(sessions, size int64) bool {
	if sessions > 0 && !grow(&l.sessions, sessions, l.maxSessions) {
		return false
	}
	if size <= 0 {
		l.bytes.Add(size)
		return true
	}
	if !grow(&l.bytes, size, l.maxBytes) {
		l.sessions.Add(-sessions)
		return false
	}
	return true
}

func (l *limits) release(sessions, size int64) {
	l.sessions.Add(-sessions)
	l.bytes.Add(-size)
}

// grow adds by to v unless the sum exceeds most.
func grow(v *atomic.Int64, by, most int64) bool {
	if most == math.MaxInt64 {
		v.Add(by) // does not wait for other writers as long as a loop
		return true
	}
	for {
		n := v.Load()
		if n > most-by {
			return false
		}
		if v.CompareAndSwap(n, n+by) {
			return true
		}
	}
}

func (l *limits) stats() Stats {
	return Stats{
		Sessions: l.sessions.Load(),
		Bytes:    l.bytes.Load(),
		Evicted:  l.evicted.Load(),
		Refused:  l.refused.Load(),
		Expired:  l.expired.Load(),
	}
}
