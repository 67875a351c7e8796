package session

import "time"

// instant is a moment in whole milliseconds since 1970, which is how exactly
// sessions know the time, as in express-session. Zero is no moment. A time.Time is
// three times as large and holds a pointer, and a request has several.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.UnixMilli())
}

// time returns the zero time for no moment.
func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i))
}

func (i instant) sub(j instant) time.Duration { return time.Duration(i-j) * time.Millisecond }
