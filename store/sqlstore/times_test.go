package sqlstore

import (
	"math"
	"testing"
	"time"
)

// The store writes an expiry like the npm package, except that rounding must not bring an
// expired session to life.
func TestEncoding(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000_400
	tests := []struct {
		name    string
		times   times
		expires int64
		want    any
	}{
		{"native", milliseconds{}, now + 1, int64(now + 1)},
		{"native, never", milliseconds{}, never, int64(never)},
		{"native, over", milliseconds{}, now, int64(now)},
		{"connect-sqlite3, over", milliseconds{foreign: true}, now, int64(now - 1)},
		{"whole seconds up", timestamps{}, now + 1000, int64(1_700_000_002)},
		{"whole seconds stay", timestamps{}, 1_700_000_005_000, int64(1_700_000_005)},
		{"over, not up", timestamps{}, now, int64(1_699_999_999)},
		{"never", timestamps{}, never, int64(lastTimestamp)},
		{"nearest, down", seconds{most: math.MaxUint32}, now + 1000, int64(1_700_000_001)},
		{"nearest, up", seconds{most: math.MaxUint32}, now + 1100, int64(1_700_000_002)},
		{"nearest, over", seconds{most: math.MaxUint32}, now, int64(1_699_999_999)},
		{"nearest, before 1970", seconds{most: math.MaxUint32}, -5000, int64(0)},
		{"more than 32 bits", seconds{most: math.MaxUint32}, 1 << 50, int64(math.MaxUint32)},
		{"more than 31 bits", seconds{most: math.MaxInt32}, never, int64(math.MaxInt32)},
		{"text", texts{}, now, "2023-11-14T22:13:20.400Z"},
		{"text, never", texts{}, never, "9999-12-31T23:59:59.000Z"},
		{"text, before 1970", texts{}, -1, "1970-01-01T00:00:00.000Z"},
	}
	for _, test := range tests {
		if got := test.times.encode(test.expires, now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Years that do not fit become far in the future or long past, and not the other way round.
func TestInstant(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, year := range []int{10_000, 1_000_000, 300_000_000, 1_000_000_000, 200_000_000_000} {
		ahead := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if ahead.Year() != year {
			continue // more than package time holds
		}
		if instant(ahead) <= instant(now) {
			t.Errorf("year %d is over", year)
		}
		if instant(time.Date(-year, 1, 1, 0, 0, 0, 0, time.UTC)) >= instant(now) {
			t.Errorf("year %d is to come", -year)
		}
	}
	if got := instant(time.UnixMilli(5).Add(999 * time.Microsecond)); got != 5 {
		t.Errorf("%d, want 5: no later than it was", got)
	}
}

func TestFloorSeconds(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]int64{0: 0, 999: 0, 1000: 1, -1: -1, -1000: -1, -1001: -2} {
		if got := floorSeconds(ms); got != want {
			t.Errorf("%d ms: %d s, want %d", ms, got, want)
		}
	}
}
