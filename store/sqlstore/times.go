package sqlstore

import (
	"math"
	"time"
)

// never is the expiry, in milliseconds since 1970, of what does not expire. The
// native table keeps it as it is, so that one comparison serves all.
const never = math.MaxInt64

// times is how a column keeps an expiry. In Go an expiry is in milliseconds since
// 1970; the expressions take the column as it is quoted.
type times interface {
	// encode is what is written for an expiry. One that is not after now is written
	// so that nobody who rounds takes it for one to come.
	encode(expires, now int64) any

	// write is the expression that is stored for what encode returned.
	write(p param) []any

	// read is the expression for the milliseconds.
	read(column string) []any

	// live and over are the two conditions, by the parameter pNow. Neither holds for
	// a time that cannot be read: such a row is nobody's session, and not ours to remove.
	live(column string) []any
	over(column string) []any

	// near is a condition that a sweep adds to over for the sake of an index. It may
	// leave some rows for a later sweep.
	near(column string) []any

	// now is the parameter pNow.
	now(ms int64) any

	// far is the least that the column keeps for never.
	far() int64
}

// milliseconds since 1970, as a number.
type milliseconds struct {
	foreign bool // in a column without a type: connect-sqlite3's numbers are floating
}

func (m milliseconds) encode(expires, now int64) any {
	if m.foreign && expires <= now {
		return expires - 1 // connect-sqlite3 answers a session still in the millisecond in which it ends
	}
	return expires
}

func (m milliseconds) now(ms int64) any    { return ms }
func (m milliseconds) far() int64          { return never }
func (m milliseconds) write(p param) []any { return []any{p} }
func (m milliseconds) live(c string) []any { return []any{c, " > ", pNow} }
func (m milliseconds) over(c string) []any { return []any{c, " <= ", pNow} }
func (m milliseconds) near(string) []any   { return nil }

func (m milliseconds) read(c string) []any {
	if m.foreign {
		return []any{"CAST(", c, " AS INTEGER)"}
	}
	return []any{c}
}

// seconds since 1970, as a number, to the nearest as express-mysql-session has them.
type seconds struct {
	most int64 // what the column holds
}

func (s seconds) encode(expires, now int64) any {
	if expires <= now {
		return max(floorSeconds(expires)-1, 0)
	}
	return min(floorSeconds(min(expires, never-500)+500), s.most)
}

func (s seconds) now(ms int64) any    { return floorSeconds(ms) }
func (s seconds) far() int64          { return s.most * 1000 }
func (s seconds) write(p param) []any { return []any{p} }
func (s seconds) read(c string) []any { return []any{"CAST(", c, " AS SIGNED) * 1000"} }
func (s seconds) live(c string) []any { return []any{c, " > ", pNow} }
func (s seconds) over(c string) []any { return []any{c, " <= ", pNow} }
func (s seconds) near(string) []any   { return nil }

// timestamps are PostgreSQL's, to the second and rounded up as connect-pg-simple
// has them. Without a zone in the column, zone says what they mean, so that nothing
// depends on the settings of a connection.
type timestamps struct {
	zone string // quoted; "": the column has a zone
}

// lastTimestamp is the end of year 9999, which JavaScript and PostgreSQL both know.
const lastTimestamp = 253402300799

func (t timestamps) encode(expires, now int64) any {
	if expires <= now {
		return floorSeconds(expires) - 1
	}
	return min(floorSeconds(min(expires, never-999)+999), lastTimestamp)
}

func (t timestamps) now(ms int64) any { return ms }
func (t timestamps) far() int64       { return lastTimestamp * 1000 }

func (t timestamps) write(p param) []any {
	return append([]any{"to_timestamp(", p, "::bigint)"}, t.at()...)
}

func (t timestamps) at() []any {
	if t.zone == "" {
		return nil
	}
	return []any{" AT TIME ZONE ", t.zone}
}

// instant is the column as a timestamp with time zone.
func (t timestamps) instant(c string) []any {
	return append(append([]any{"(", c}, t.at()...), ")")
}

func (t timestamps) read(c string) []any {
	return []any{"CASE WHEN isfinite(", c, ") THEN (EXTRACT(EPOCH FROM ", t.instant(c), ") * 1000)::bigint ELSE 9223372036854775807 END"}
}

const presentTimestamp = "::bigint / 1000.0)"

func (t timestamps) live(c string) []any {
	return []any{t.instant(c), " > to_timestamp(", pNow, presentTimestamp}
}

// over compares instants, which is right also in the hour that comes twice when
// summer time ends.
func (t timestamps) over(c string) []any {
	return []any{t.instant(c), " <= to_timestamp(", pNow, presentTimestamp}
}

// near compares what the clocks show, and so can use the index on the column.
func (t timestamps) near(c string) []any {
	return []any{" AND ", c, " <= to_timestamp(", pNow, presentTimestamp, t.at()}
}

// texts are what JavaScript's toISOString makes, as better-sqlite3-session-store
// has them. SQLite reads other forms as well, and so does the store.
type texts struct{}

const isoFormat = "2006-01-02T15:04:05.000Z"

func (texts) encode(expires, _ int64) any {
	t := time.UnixMilli(max(min(expires, lastTimestamp*1000), 0)).UTC()
	return t.Format(isoFormat)
}

func (texts) now(ms int64) any    { return ms }
func (texts) far() int64          { return lastTimestamp * 1000 }
func (texts) write(p param) []any { return []any{p} }

func (texts) read(c string) []any {
	return []any{"CAST(ROUND((julianday(", c, ") - 2440587.5) * 86400000.0) AS INTEGER)"}
}
func (t texts) live(c string) []any { return []any{t.read(c), " > ", pNow} }
func (t texts) over(c string) []any { return []any{t.read(c), " <= ", pNow} }
func (texts) near(string) []any     { return nil }

// instant is t in milliseconds since 1970, cut off, so that no record outlives its time.
func instant(t time.Time) int64 {
	// Years that 64 bits of milliseconds do not hold are as good as never and as ever.
	switch y := t.Year(); {
	case y > 200_000_000:
		return never - 1
	case y < -200_000_000:
		return math.MinInt64 / 4
	}
	return t.UnixMilli()
}

// moment is the time of an expiry that was read; never is the zero time.
func moment(t times, ms int64) time.Time {
	if ms >= t.far() {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func floorSeconds(ms int64) int64 {
	s := ms / 1000
	if ms%1000 < 0 {
		s--
	}
	return s
}
