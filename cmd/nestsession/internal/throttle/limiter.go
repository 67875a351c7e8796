// Package throttle slows repeated wrong passwords down.
package throttle

import (
	"hash/maphash"
	"sync"
	"time"
)

// Rate is how often something may happen: Burst times at once, and from then on
// once in Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// slots is the size of a row of a [Limiter]: 512 KiB of memory each, whoever
// attacks and with however many names.
const slots = 1 << 16

// Limiter limits by key. It is a generic cell rate algorithm (a leaky bucket that
// stores one instant: when it will have drained) over a count-min sketch: a key has one
// slot in each of two rows, found by a hash that nobody outside can compute, and
// the emptier of both counts. So the memory is fixed, no key is ever evicted to make
// room, which an attacker could cause, and keys are not kept. Two keys are mistaken for each
// other only if they meet in both rows.
//
// It is safe for concurrent use.
type Limiter struct {
	rate  Rate
	now   func() time.Time
	start time.Time
	seeds [2]maphash.Seed

	mu   sync.Mutex
	rows [2][]time.Duration // since start
}

// NewLimiter returns a limiter. Now is nil for [time.Now].
func NewLimiter(rate Rate, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	l := &Limiter{rate: rate, now: now, start: now()}
	for i := range l.rows {
		l.seeds[i] = maphash.MakeSeed()
		l.rows[i] = make([]time.Duration, slots)
	}
	return l
}

// Take counts one for the key. If that would be too often it counts nothing, and
// returns how long to wait, which is more than 0.
func (l *Limiter) Take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().Sub(l.start)
	a, b := l.slots(key)
	drained := max(min(*a, *b), now)
	if wait := drained + l.rate.Every - now - time.Duration(l.rate.Burst)*l.rate.Every; wait > 0 {
		return wait
	}
	*a = max(*a, now) + l.rate.Every
	*b = max(*b, now) + l.rate.Every
	return 0
}

// Return takes back one that [Limiter.Take] counted.
func (l *Limiter) Return(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, b := l.slots(key)
	*a -= l.rate.Every
	*b -= l.rate.Every
}

func (l *Limiter) slots(key string) (a, b *time.Duration) {
	return &l.rows[0][maphash.String(l.seeds[0], key)%slots], &l.rows[1][maphash.String(l.seeds[1], key)%slots]
}
