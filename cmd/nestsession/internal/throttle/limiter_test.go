package throttle_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
)

// clock does not move until a test moves it.
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
		if got := wrong(t, l, key); got != want {
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
	c.forward(time.Minute)
	for range 10 { // an attempt that was not wrong does not count
		if err := l.Take(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		l.Settle("a", false)
	}
	want("the one that was left", "a", 0)
	want("but only one", "a", time.Minute)
}

// wrong makes a wrong attempt, or returns how long to wait.
func wrong(t *testing.T, l *throttle.Limiter, key string) time.Duration {
	t.Helper()
	err := l.Take(t.Context(), key)
	if tooMany := (*throttle.TooMany)(nil); errors.As(err, &tooMany) {
		return tooMany.After
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Settle(key, true)
	return 0
}

// However many come concurrently and are wrong, not more are attempted than the limit allows. Those
// that wait are refused as soon as the limit is reached.
func TestTheLimitHoldsWhenAllComeAtOnce(t *testing.T) {
	t.Parallel()
	l := throttle.NewLimiter(throttle.Rate{Burst: 5, Every: time.Hour}, nil)
	var tried, refused atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			tooMany := (*throttle.TooMany)(nil)
			switch err := l.Take(t.Context(), "a"); {
			case err == nil:
				tried.Add(1)
				l.Settle("a", true)
			case errors.As(err, &tooMany) && tooMany.After > 0:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, r := tried.Load(), refused.Load(); n != 5 || r != 95 {
		t.Errorf("%d tried and %d refused, want 5 and 95", n, r)
	}
}

// Right attempts that come concurrently wait for each other, in the order in which they came, and
// none is refused.
func TestRightAttemptsWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.Rate{Burst: 3, Every: time.Hour}, nil)
		var underWay, most int
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if err := l.Take(t.Context(), "a"); err != nil {
					t.Errorf("the one at place %d: %v", i, err)
					return
				}
				mu.Lock()
				order = append(order, i)
				underWay++
				most = max(most, underWay)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				underWay--
				mu.Unlock()
				l.Settle("a", false)
			})
			synctest.Wait()
		}
		wg.Wait()
		if most != 3 || len(order) != 60 {
			t.Errorf("%d at once, want 3; %d of 60", most, len(order))
		}
		for at, i := range order { // three continue at the same moment
			if at/3 != i/3 {
				t.Errorf("the one at place %d went on as number %d", i, at)
			}
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.Rate{Burst: 1, Every: time.Hour}, nil)
		if err := l.Take(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Take(short, "a"); !errors.Is(err, throttle.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the one that waits too long: %v", err)
		}
		errs := make(chan error, 200)
		for range 200 {
			go func() {
				err := l.Take(t.Context(), "a")
				if err == nil {
					l.Settle("a", false)
				}
				errs <- err
			}()
		}
		synctest.Wait()
		if err := l.Take(t.Context(), "a"); !errors.Is(err, throttle.ErrBusy) {
			t.Errorf("one too many: %v, want ErrBusy at once", err)
		}
		if err := l.Take(t.Context(), "b"); err != nil {
			t.Errorf("of another key: %v", err)
		}
		l.Settle("a", false)
		for range 200 {
			if err := <-errs; err != nil {
				t.Errorf("one that waited: %v", err)
			}
		}
		if err := l.Take(t.Context(), "a"); err != nil {
			t.Errorf("when all is over: %v", err)
		}
	})
}

// An attacker who tries many names neither gets another guess at the name under attack, nor slows
// down other users.
func TestManyOtherKeysChangeNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := throttle.NewLimiter(throttle.Rate{Burst: 2, Every: time.Hour}, c.now)
	for wrong(t, l, "victim") == 0 {
	}
	for i := range 5_000 {
		for wrong(t, l, "name"+strconv.Itoa(i)) == 0 {
		}
	}
	if wrong(t, l, "victim") == 0 {
		t.Error("the victim's count was forgotten")
	}
	slowed := 0
	for i := range 1_000 {
		if wrong(t, l, "stranger"+strconv.Itoa(i)) != 0 {
			slowed++
		}
	}
	// Two rows of 65,536 slots: about 0.6 % of the keys share used slots in both rows.
	if slowed > 30 {
		t.Errorf("%d of 1,000 strangers were slowed down", slowed)
	}
}
