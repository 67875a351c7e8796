package memstore

import (
	"math"
	"sync/atomic"
	"time"
)

// never is the expiry of a record that does not expire by itself.
const never = math.MaxInt64

// clock tells nanoseconds since the Unix epoch. Reading the monotonic clock
// alone takes half the time of time.Now, which would be most of a Load; so the
// wall clock is read at writes and sweeps, and what passed since then is added. A
// wall clock that is set, or a machine that slept, is thus noticed at the next
// write or sweep.
type clock struct {
	custom func() time.Time
	anchor atomic.Pointer[anchor]
}

type anchor struct {
	at   time.Time
	unix int64
}

// tolerance is how far the two may drift apart before the anchor is renewed.
const tolerance = time.Millisecond

func (c *clock) init(custom func() time.Time) {
	c.custom = custom
	if custom == nil {
		at := time.Now()
		c.anchor.Store(&anchor{at: at, unix: at.UnixNano()})
	}
}

func (c *clock) now() int64 {
	if c.custom != nil {
		return instant(c.custom())
	}
	a := c.anchor.Load()
	return a.unix + int64(time.Since(a.at))
}

// sync is now by the wall clock.
func (c *clock) sync() int64 {
	if c.custom != nil {
		return instant(c.custom())
	}
	at := time.Now()
	unix := at.UnixNano()
	a := c.anchor.Load()
	if off := unix - a.unix - int64(at.Sub(a.at)); off > int64(tolerance) || off < -int64(tolerance) {
		c.anchor.Store(&anchor{at: at, unix: unix})
	}
	return unix
}

// The span of time that nanoseconds in an int64 cover.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64-1)
)

// instant is t in nanoseconds since the Unix epoch. What lies outside their
// range (the years 1678 to 2262) becomes its end: long over, or as good as never.
func instant(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return math.MinInt64
	case t.After(latest):
		return never - 1
	}
	return t.UnixNano()
}

// deadline is the instant at which a record ends.
func deadline(expires time.Time) int64 {
	if expires.IsZero() {
		return never
	}
	return instant(expires)
}
