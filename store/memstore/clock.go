package memstore

import (
	"math"
	"sync/atomic"
	"time"
)

// never is the expiry of a record that does not expire.
const never = math.MaxInt64

// clock returns the time in nanoseconds since the Unix epoch. To read only the monotonic
// clock takes half as long as time.Now, which would be most of a Load. So now adds the
// time since the last reading of the wall clock, which writes and sweeps read: they notice
// that the wall clock was set, or that the machine was asleep.
type clock struct {
	custom func() time.Time
	anchor atomic.Pointer[anchor]
}

type anchor struct {
	at   time.Time
	unix int64
}

// tolerance is how far the two clocks may drift apart before the anchor is renewed.
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

// sync is like now, and reads the wall clock.
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

// What stands for instants outside the range.
const nearest, farthest = math.MinInt64, never - 1

// The span of time that nanoseconds in an int64 cover.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64-1)
)

// instant is t in nanoseconds since the Unix epoch. What lies outside their
// range (the years 1678 to 2262) becomes the nearest end of the range.
func instant(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return nearest
	case t.After(latest):
		return farthest
	}
	return t.UnixNano()
}

// deadline is the instant at which a record expires.
func deadline(expires time.Time) int64 {
	if expires.IsZero() {
		return never
	}
	return instant(expires)
}
