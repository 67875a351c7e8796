package sqlstore

import (
	"math"
	"time"
)

// never is the expiry, in milliseconds since 1970, of a session that does not expire. The
// native table keeps this number, so that one comparison serves all rows.
const never = math.MaxInt64

// times is the format in which a column keeps an expiry. In Go an expiry is in
// milliseconds since 1970.
type times interface {
	// encode is what is written for an expiry. One that is not after now is written so
	// that no rounding moves it after now.
	encode(expires, now int64) any

	// sql are the expressions by the names that templates use:
	//
	//	expires as ms   the column in milliseconds
	//	new expires     what is stored for the parameter @expires, which encode returned;
	//	                PostgreSQL's has "of w" for the column of that name in a batch
	//	live, over      the conditions at @now
	//	over by index   the condition over in a form that an index serves, in a sweep; it
	//	                may leave some rows for a later sweep
	//
	// Neither live nor over holds for a time that cannot be read: such a row is not a
	// session, and not the store's to remove.
	sql() map[string]string

	// now is the parameter @now.
	now(ms int64) any

	// far is the smallest value, in milliseconds, that is read as never.
	far() int64
}

// milliseconds since 1970, as a number.
type milliseconds struct {
	foreign bool // in a column without a type: connect-sqlite3's numbers are floating
}

func (m milliseconds) encode(expires, now int64) any {
	if m.foreign && expires <= now {
		return expires - 1 // connect-sqlite3 still finds a session in the millisecond in which it expires
	}
	return expires
}

func (m milliseconds) now(ms int64) any { return ms }
func (m milliseconds) far() int64       { return never }

func (m milliseconds) sql() map[string]string {
	if m.foreign {
		return foreignMillisecondsSQL
	}
	return millisecondsSQL
}

var (
	millisecondsSQL = map[string]string{
		"expires as ms": "{expires}",
		"new expires":   "@expires",
		"live":          "{expires} > @now",
		"over":          "{expires} <= @now",
		"over by index": "{expires} <= @now",
	}
	foreignMillisecondsSQL = map[string]string{
		"expires as ms": "CAST({expires} AS INTEGER)",
		"new expires":   "@expires",
		"live":          "{expires} > @now",
		"over":          "{expires} <= @now",
		"over by index": "{expires} <= @now",
	}
)

// seconds since 1970, as a number, rounded to the nearest as express-mysql-session does.
type seconds struct {
	most int64 // the largest value that the column holds
}

func (s seconds) encode(expires, now int64) any {
	if expires <= now {
		return max(floorSeconds(expires)-1, 0)
	}
	return min(floorSeconds(min(expires, never-500)+500), s.most)
}

func (s seconds) now(ms int64) any { return floorSeconds(ms) }
func (s seconds) far() int64       { return s.most * 1000 }

func (s seconds) sql() map[string]string { return secondsSQL }

var secondsSQL = map[string]string{
	"expires as ms": "CAST({expires} AS SIGNED) * 1000",
	"new expires":   "@expires",
	"live":          "{expires} > @now",
	"over":          "{expires} <= @now",
	"over by index": "{expires} <= @now",
}

// timestamps are PostgreSQL's, in whole seconds and rounded up as connect-pg-simple does.
// If the column has no zone, each statement names one, so that nothing depends on the
// settings of a connection.
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

func (t timestamps) sql() map[string]string {
	if t.zone == "" {
		return timestamptzSQL
	}
	return timestampSQL
}

var (
	timestamptzSQL = map[string]string{
		"expires as ms": "CASE WHEN isfinite({expires}) THEN (EXTRACT(EPOCH FROM ({expires})) * 1000)::bigint ELSE 9223372036854775807 END",
		"new expires":   "to_timestamp(@expires::bigint)",

		"new expires of w": "to_timestamp(w.expires)",

		"live":          "({expires}) > to_timestamp(@now::bigint / 1000.0)",
		"over":          "({expires}) <= to_timestamp(@now::bigint / 1000.0)",
		"over by index": "{over} AND {expires} <= to_timestamp(@now::bigint / 1000.0)",
	}

	// The condition over compares instants, which is right also in the hour that comes twice
	// when summer time ends. The one by index also compares what the clocks show, which is
	// what the index on the column has.
	timestampSQL = map[string]string{
		"expires as ms": "CASE WHEN isfinite({expires}) THEN (EXTRACT(EPOCH FROM ({expires} AT TIME ZONE {zone})) * 1000)::bigint ELSE 9223372036854775807 END",
		"new expires":   "to_timestamp(@expires::bigint) AT TIME ZONE {zone}",

		"new expires of w": "to_timestamp(w.expires) AT TIME ZONE {zone}",

		"live":          "({expires} AT TIME ZONE {zone}) > to_timestamp(@now::bigint / 1000.0)",
		"over":          "({expires} AT TIME ZONE {zone}) <= to_timestamp(@now::bigint / 1000.0)",
		"over by index": "{over} AND {expires} <= to_timestamp(@now::bigint / 1000.0) AT TIME ZONE {zone}",
	}
)

// texts are what JavaScript's toISOString returns, as better-sqlite3-session-store writes
// them. SQLite reads other forms as well, and so does the store.
type texts struct{}

const isoFormat = "2006-01-02T15:04:05.000Z"

func (texts) encode(expires, _ int64) any {
	t := time.UnixMilli(max(min(expires, lastTimestamp*1000), 0)).UTC()
	return t.Format(isoFormat)
}

func (texts) now(ms int64) any       { return ms }
func (texts) far() int64             { return lastTimestamp * 1000 }
func (texts) sql() map[string]string { return textsSQL }

var textsSQL = map[string]string{
	"expires as ms": "CAST(ROUND((julianday({expires}) - 2440587.5) * 86400000.0) AS INTEGER)",
	"new expires":   "@expires",
	"live":          "{expires as ms} > @now",
	"over":          "{expires as ms} <= @now",
	"over by index": "{over}",
}

// instant is t in milliseconds since 1970, rounded down, so that no record lives longer
// than it should.
func instant(t time.Time) int64 {
	// Years that 64 bits of milliseconds cannot hold.
	switch y := t.Year(); {
	case y > 200_000_000:
		return never - 1
	case y < -200_000_000:
		return math.MinInt64 / 4
	}
	return t.UnixMilli()
}

// timeOf returns the time of an expiry that was read, or the zero time for never.
func timeOf(t times, ms int64) time.Time {
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
