package document

import "time"

// Instant is a moment in whole milliseconds since 1970, which is how exactly
// sessions know the time, as in express-session. Zero is no moment. A time.Time is
// three times as large and holds a pointer, and a request has several.
type Instant int64

func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMilli())
}

// Time returns the zero time for no moment.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i))
}

func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Millisecond }
