// Package lifetime computes how long a session and its cookie live.
package lifetime

import (
	"math"
	"time"

	"github.com/nestsession/session/internal/document"
)

// UntilClosed, as a MaxAge, is express-session's false.
const UntilClosed time.Duration = math.MinInt64

// Of converts a MaxAge. Zero means none. A fraction of a millisecond is cut off.
func Of(maxAge time.Duration) document.Lifetime {
	if maxAge == 0 || maxAge == UntilClosed {
		return document.Lifetime{Off: maxAge == UntilClosed}
	}
	return document.Lifetime{Set: true, MS: int64(math.Floor(float64(maxAge) / float64(time.Millisecond)))}
}

// MaxAge is the inverse of [Of].
func MaxAge(l document.Lifetime) time.Duration {
	switch {
	case l.Off:
		return UntilClosed
	case l.Set && l.MS == 0:
		return 1
	}
	return time.Duration(l.MS) * time.Millisecond
}

// Idle returns how long a session lives after each visit. cookie is its cookie's lifetime,
// and own says that the session has set that itself. timeout is the manager's idle timeout:
// negative means none, and zero means the cookie's lifetime, or usual where that has none.
func Idle(cookie document.Lifetime, own bool, timeout, usual time.Duration) document.Lifetime {
	switch {
	case cookie.Set && (own || timeout <= 0):
		return cookie
	case timeout > 0:
		return Of(timeout)
	case timeout < 0:
		return document.Lifetime{}
	}
	return Of(usual)
}

// LastUsed returns when a session was last saved or touched. That is the store's expiry
// minus the idle timeout, unless the absolute timeout has cut the expiry. used is the time
// in the bookkeeping, and end is until when the store keeps the record at most.
func LastUsed(used, expiry, end, now document.Instant, idle document.Lifetime) document.Instant {
	if !idle.Set || expiry == 0 || expiry == end {
		return used
	}
	return max(used, min(expiry-document.Instant(idle.MS), now))
}

// Earlier returns the earlier of two moments; zero means never.
func Earlier(a, b document.Instant) document.Instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Due reports whether a visit writes the expiry at, where the store has another one. It
// does if that moves the expiry by the interval: a tenth of the idle timeout, and of the
// cookie's lifetime, if interval is zero; always if it is negative. A cookie that is not
// Set does not count.
func Due(at, expiry document.Instant, interval time.Duration, idle, cookie document.Lifetime) bool {
	switch {
	case interval < 0:
		return true
	case at == 0 || expiry == 0:
		return at != expiry
	case interval == 0:
		interval = tenth(idle)
	}
	if cookie.Set {
		interval = min(interval, tenth(cookie))
	}
	return at != expiry && at.Sub(expiry).Abs() >= interval
}

func tenth(l document.Lifetime) time.Duration { return time.Duration(l.MS) * time.Millisecond / 10 }
