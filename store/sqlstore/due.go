package sqlstore

import "math/bits"

// dueColumn is the column of PostgreSQL's native table by which sweeps find expired
// sessions: the expiry, rounded down.
//
// The expiry itself changes with every write. If it had an index, every write would have
// to write all indexes of the table: an update is a heap-only tuple update, which costs
// less and needs no vacuum, only if no indexed column changes. The table's fillfactor
// leaves room for such updates. See
// https://www.postgresql.org/docs/current/storage-hot.html.
const (
	dueColumn = "due"
	dueType   = "bigint NOT NULL DEFAULT 0" // 0: every sweep reads the row
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
