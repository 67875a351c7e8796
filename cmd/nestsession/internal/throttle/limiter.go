// Package throttle slows down repeated wrong passwords.
package throttle

import (
	"container/list"
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// Rate is how often something may happen: Burst times at once, and after that once in Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// slots is the size of a row of a [Limiter]: 512 KiB of memory for each row, whoever attacks and
// with however many names.
const slots = 1 << 16

// maxWaiting is how many attempts of one key may wait for the outcome of others.
const maxWaiting = 200

// Limiter limits how many attempts of a key may be wrong. Whether an attempt is wrong is known
// only at its end, when the caller settles it. Until then it counts as wrong, so that many
// concurrent attempts gain nothing. An attempt that is refused only because of unsettled ones
// waits for them instead.
//
// It is a generic cell rate algorithm (a leaky bucket that stores one instant: when it will be
// empty) over a count-min sketch. A key has one slot in each of two rows, found by a hash that
// nobody outside can compute, and the emptier slot counts. So the memory is fixed, an attacker
// cannot make it evict a key, and keys are not kept after their attempts. Two keys are
// confused only if they share their slots in both rows.
//
// It is safe for concurrent use.
//
// A limiter of a [Guard] of several servers has two counts: this one in the process, by which
// attempts wait for each other, and the one that all share, which decides.
type Limiter struct {
	shared *Shared // nil if this server counts by itself
	name   string  // of the limiter in shared

	rate  Rate
	now   func() time.Time
	start time.Time
	seeds [2]maphash.Seed

	mu      sync.Mutex
	rows    [2][]time.Duration // since start
	flights map[string]*flight
}

// flight has the attempts of a key that are in progress, and those that wait for them.
type flight struct {
	underWay int
	waiting  list.List // of *waiter
}

type waiter struct {
	woken   chan struct{} // closed when it may continue, or is refused
	granted bool
}

// NewLimiter returns a limiter. Now is nil for [time.Now].
func NewLimiter(rate Rate, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	l := &Limiter{rate: rate, now: now, start: now(), flights: map[string]*flight{}}
	for i := range l.rows {
		l.seeds[i] = maphash.MakeSeed()
		l.rows[i] = make([]time.Duration, slots)
	}
	return l
}

// Take begins an attempt; [Limiter.Settle] ends it. It waits while the outcome of others decides
// whether one is left. It returns [*TooMany] if none is left, and [ErrBusy] if too many wait or ctx
// ends.
func (l *Limiter) Take(ctx context.Context, key string) error {
	err := l.takeHere(ctx, key)
	if err != nil || l.shared == nil {
		return err
	}
	if err := l.shared.take(ctx, l.name, key, l.rate); err != nil {
		l.settleHere(key, false)
		return err
	}
	return nil
}

func (l *Limiter) takeHere(ctx context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	left, wait := l.left(key)
	f := l.flights[key]
	switch {
	case left <= 0:
		return &TooMany{After: wait}
	case f == nil:
		f = &flight{}
		l.flights[key] = f
		fallthrough
	case f.underWay < left && f.waiting.Len() == 0:
		f.underWay++
		return nil
	case f.waiting.Len() >= maxWaiting:
		return fmt.Errorf("%w: %d wait already", ErrBusy, maxWaiting)
	}
	w := &waiter{woken: make(chan struct{})}
	place := f.waiting.PushBack(w)
	l.mu.Unlock()
	select {
	case <-w.woken:
		l.mu.Lock()
	case <-ctx.Done():
		l.mu.Lock()
		select {
		case <-w.woken:
		default:
			f.waiting.Remove(place)
			return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
		}
	}
	if !w.granted {
		_, wait = l.left(key)
		return &TooMany{After: max(wait, time.Second)}
	}
	return nil
}

// Settle ends an attempt that [Limiter.Take] began. Only a wrong one counts.
func (l *Limiter) Settle(key string, wrong bool) {
	if l.shared != nil {
		l.shared.settle(l.name, key, l.rate, wrong)
	}
	l.settleHere(key, wrong)
}

func (l *Limiter) settleHere(key string, wrong bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong {
		now := l.now().Sub(l.start)
		a, b := l.slots(key)
		*a = max(*a, now) + l.rate.Every
		*b = max(*b, now) + l.rate.Every
	}
	f := l.flights[key]
	f.underWay--
	left, _ := l.left(key)
	for f.waiting.Len() > 0 && (left <= 0 || f.underWay < left) {
		w, _ := f.waiting.Remove(f.waiting.Front()).(*waiter)
		if left > 0 {
			w.granted = true
			f.underWay++
		}
		close(w.woken)
	}
	if f.underWay == 0 {
		delete(l.flights, key) // nobody waits any more
	}
}

// left returns how many attempts may be wrong now, and for 0 how long until there is one.
func (l *Limiter) left(key string) (n int, wait time.Duration) {
	now := l.now().Sub(l.start)
	a, b := l.slots(key)
	room := now + time.Duration(l.rate.Burst)*l.rate.Every - max(min(*a, *b), now)
	return int(room / l.rate.Every), l.rate.Every - room
}

func (l *Limiter) slots(key string) (a, b *time.Duration) {
	return &l.rows[0][maphash.String(l.seeds[0], key)%slots], &l.rows[1][maphash.String(l.seeds[1], key)%slots]
}
