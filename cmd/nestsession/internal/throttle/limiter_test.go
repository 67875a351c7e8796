package throttle_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
)

// clock stands still until it is moved.
type clock struct{ at time.Time }

func newClock() *clock                   { return &clock{time.Unix(1_800_000_000, 0)} }
func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func TestLimiter(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := throttle.NewLimiter(throttle.Rate{Burst: 3, Every: time.Minute}, c.now)
	want := func(step string, key string, want time.Duration) {
		t.Helper()
		if got := l.Take(key); got != want {
			t.Errorf("%s: wait %v, want %v", step, got, want)
		}
	}
	for range 3 {
		want("within the burst", "a", 0)
	}
	want("the fourth", "a", time.Minute)
	want("the fourth again: refusals count nothing", "a", time.Minute)
	want("another key", "b", 0)
	c.forward(45 * time.Second)
	want("not yet", "a", 15*time.Second)
	c.forward(15 * time.Second)
	want("one after Every", "a", 0)
	want("but only one", "a", time.Minute)
	c.forward(time.Hour)
	for range 3 {
		want("forgotten after a while, and never more than the burst", "a", 0)
	}
	want("the fourth", "a", time.Minute)
	l.Return("a")
	want("one that was returned", "a", 0)
	want("but only one", "a", time.Minute)
}

func TestTheLimitHoldsWhenAllComeAtOnce(t *testing.T) {
	t.Parallel()
	l := throttle.NewLimiter(throttle.Rate{Burst: 5, Every: time.Hour}, nil)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if l.Take("a") == 0 {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 5 {
		t.Errorf("%d passed, want 5", n)
	}
}

// An attacker who tries many names neither makes room for one more guess at the
// name he is after, nor slows everybody down.
func TestManyOtherKeysChangeNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := throttle.NewLimiter(throttle.Rate{Burst: 2, Every: time.Hour}, c.now)
	for l.Take("victim") == 0 {
	}
	for i := range 5_000 {
		for l.Take("name"+strconv.Itoa(i)) == 0 {
		}
	}
	if l.Take("victim") == 0 {
		t.Error("the victim's count was forgotten")
	}
	slowed := 0
	for i := range 1_000 {
		if l.Take("stranger"+strconv.Itoa(i)) != 0 {
			slowed++
		}
	}
	// Two rows of 65,536 slots: about 0.6 % meet a used slot in both.
	if slowed > 30 {
		t.Errorf("%d of 1,000 strangers were slowed down", slowed)
	}
}
