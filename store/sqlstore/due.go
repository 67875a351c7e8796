package sqlstore

import "math/bits"

// dueColumn is the column of PostgreSQL's native table that sweeps look for: about when
// the session ends, and not later than that.
//
// The end itself moves with every write, and an index on it would have to be written each
// time, and with it all the others of the table: only what leaves all indexed columns as
// they are is a heap-only tuple update, which costs less, and whose remains need no vacuum.
// See https://www.postgresql.org/docs/current/storage-hot.html. Therefore the table has
// a fillfactor, too.
const (
	dueColumn = "due"
	dueType   = "bigint NOT NULL DEFAULT 0" // 0: sweeps look at the row each time
)

func (c Config) hasDue() bool { return c.Layout == Native && c.dialect().traits().hasDue }

// due is the expiry, rounded down by less than a 32nd of the time that is left. Both are
// in milliseconds since 1970.
func due(expires, now int64) int64 {
	left := expires - now
	if expires == never || left < 64 {
		return expires
	}
	step := int64(1) << (bits.Len64(uint64(left)) - 6)
	return expires - expires%step
}
