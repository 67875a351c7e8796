package lifetime_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/lifetime"
)

func ms(n int64) document.Lifetime { return document.Lifetime{Set: true, MS: n} }

func TestAMaxAgeIsALifetimeAndBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		maxAge time.Duration
		want   document.Lifetime
		back   time.Duration
	}{
		{0, document.Lifetime{}, 0},
		{lifetime.UntilClosed, document.Lifetime{Off: true}, lifetime.UntilClosed},
		{time.Second, ms(1000), time.Second},
		{1500 * time.Microsecond, ms(1), time.Millisecond},
		{1, ms(0), 1},
		{-1, ms(-1), -time.Millisecond},
		{-time.Second, ms(-1000), -time.Second},
	} {
		if l := lifetime.Of(c.maxAge); l != c.want || lifetime.MaxAge(l) != c.back {
			t.Errorf("MaxAge %v is %+v, want %+v; back it is %v, want %v", c.maxAge, l, c.want, lifetime.MaxAge(l), c.back)
		}
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	const usual = 24 * time.Hour
	none := document.Lifetime{}
	for _, c := range []struct {
		about   string
		cookie  document.Lifetime
		own     bool
		timeout time.Duration
		want    document.Lifetime
	}{
		{"the default", none, false, 0, ms(24 * 3600 * 1000)},
		{"the Config's timeout", none, false, time.Minute, ms(60_000)},
		{"no timeout", none, false, -1, none},
		{"the cookie's MaxAge where the Config has no timeout", ms(5), false, 0, ms(5)},
		{"the Config's timeout beside a cookie's MaxAge", ms(5), false, time.Minute, ms(60_000)},
		{"the session's own MaxAge", ms(5), true, time.Minute, ms(5)},
		{"the session's own cookie without a MaxAge", none, true, time.Minute, ms(60_000)},
		{"the cookie's MaxAge where the timeout is off", ms(5), false, -1, ms(5)},
		{"until the browser closes", document.Lifetime{Off: true}, true, 0, ms(24 * 3600 * 1000)},
	} {
		if got := lifetime.Idle(c.cookie, c.own, c.timeout, usual); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.about, got, c.want)
		}
	}
}

func TestLastUsed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		about                  string
		used, expiry, end, now document.Instant
		idle                   document.Lifetime
		want                   document.Instant
	}{
		{"saved at 100, touched at 200", 100, 1200, 9000, 300, ms(1000), 200},
		{"not touched since", 100, 1100, 9000, 300, ms(1000), 100},
		{"the absolute timeout cut the expiry", 100, 9000, 9000, 300, ms(1000), 100},
		{"no idle timeout", 100, 1200, 9000, 300, document.Lifetime{}, 100},
		{"the record never expires", 100, 0, 0, 300, ms(1000), 100},
		{"the clock of another node is ahead", 100, 1500, 9000, 300, ms(1000), 300},
	} {
		if got := lifetime.LastUsed(c.used, c.expiry, c.end, c.now, c.idle); got != c.want {
			t.Errorf("%s: %d, want %d", c.about, got, c.want)
		}
	}
}

func TestEarlierTakesZeroForNever(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]document.Instant{{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {3, 5, 3}, {5, 3, 3}, {-1, 5, -1}} {
		if got := lifetime.Earlier(c[0], c[1]); got != c[2] {
			t.Errorf("of %d and %d: %d", c[0], c[1], got)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	none := document.Lifetime{}
	for _, c := range []struct {
		about        string
		at, expiry   document.Instant
		interval     time.Duration
		idle, cookie document.Lifetime
		want         bool
	}{
		{"less than a tenth of the idle timeout", 1099, 1000, 0, ms(1000), none, false},
		{"a tenth of it", 1100, 1000, 0, ms(1000), none, true},
		{"a tenth of it backwards", 900, 1000, 0, ms(1000), none, true},
		{"a tenth of the cookie's shorter lifetime", 1010, 1000, 0, ms(1000), ms(100), true},
		{"less than that", 1009, 1000, 0, ms(1000), ms(100), false},
		{"less than the interval", 1049, 1000, 50 * time.Millisecond, ms(1000), none, false},
		{"the interval", 1050, 1000, 50 * time.Millisecond, ms(1000), none, true},
		{"the interval is longer than a tenth of the cookie's lifetime", 1010, 1000, 50 * time.Millisecond, ms(1000), ms(100), true},
		{"every visit", 1000, 1000, -1, ms(1000), none, true},
		{"now never", 0, 1000, 0, none, none, true},
		{"never before", 1000, 0, 0, ms(1000), none, true},
		{"never, as before", 0, 0, 0, none, none, false},
		{"nothing moves, and the interval is a tenth of nothing", 1000, 1000, 0, none, none, false},
	} {
		if got := lifetime.Due(c.at, c.expiry, c.interval, c.idle, c.cookie); got != c.want {
			t.Errorf("%s: %v", c.about, got)
		}
	}
}
