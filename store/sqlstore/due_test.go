package sqlstore

import (
	"math"
	"testing"
)

// Rounding is down, so that a sweep misses no row, and by little.
func TestDue(t *testing.T) {
	t.Parallel()
	const now = 1_790_000_000_000
	for _, left := range []int64{math.MinInt64 / 2, -now, -1, 0, 1, 63, 64, 65, 1000, 1023, 1024, 1025, 60_000, 3_600_000, 86_400_000, 1 << 40, 1 << 61} {
		expires := now + left
		got := due(expires, now)
		if got > expires || expires-got > max(left, 0)/32 {
			t.Errorf("due of what ends in %d ms is %d ms before it, want 0 to %d", left, expires-got, max(left, 0)/32)
		}
	}
	if got := due(never, now); got != never {
		t.Errorf("due of what never ends is %d", got)
	}
	// Requests of half a minute do not change it, if a session lives for an hour.
	seen := map[int64]bool{}
	for at := int64(now); at < now+30_000; at += 100 {
		seen[due(at+3_600_000, at)] = true
	}
	if len(seen) > 2 {
		t.Errorf("it moved %d times in half a minute", len(seen)-1)
	}
}
