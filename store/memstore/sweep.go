package memstore

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

// batch is how many sessions a sweep removes before it releases a shard's lock, which it
// holds for some microseconds.
const batch = 32

// sweeper runs Sweep from time to time, while the store holds sessions that expire.
type sweeper struct {
	alarm
	armed atomic.Bool // there is a timer, or a running sweep that will start one
}

func (w *sweeper) init(interval time.Duration) {
	w.interval = interval
	if interval == 0 {
		w.interval = DefaultSweepInterval
	}
}

// arm makes sure that a record with this expiry will be swept.
func (w *sweeper) arm(s *Store, expires time.Time) {
	if w.interval < 0 || expires.IsZero() || w.armed.Load() {
		return
	}
	if w.armed.CompareAndSwap(false, true) {
		w.schedule(s, (*Store).sweepAndRearm)
	}
}

func (s *Store) sweepAndRearm() {
	w := &s.sweep
	if !w.begin() {
		return
	}
	defer w.end()
	s.removeExpired(context.Background())
	w.armed.Store(false)
	// A call that adds an expiring record from here on calls arm itself.
	for i := range s.shards {
		if s.hints[i].due.Load() != never {
			if w.armed.CompareAndSwap(false, true) {
				w.schedule(s, (*Store).sweepAndRearm)
			}
			return
		}
	}
}

// Sweep implements [store.Sweeper]. The store sweeps by itself, see [Config.SweepInterval].
// Sweep goes through the shards in rounds and removes a few expired sessions of each, so
// that no request waits for more than these.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	if err := s.Ping(ctx); err != nil {
		return 0, err
	}
	return s.removeExpired(ctx)
}

func (s *Store) removeExpired(ctx context.Context) (removed int, err error) {
	now := s.clock.sync()
	for again := true; again; {
		again = false
		for i := range s.shards {
			if s.hints[i].due.Load() > now {
				continue
			}
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			if s.closed.Load() {
				return removed, store.ErrClosed
			}
			n := s.shards[i].sweep(now)
			removed += n
			again = again || n == batch
			runtime.Gosched()
			for n < batch && s.shards[i].tidyAlone() {
				runtime.Gosched()
			}
		}
	}
	return removed, nil
}

// tidyAlone is tidy for a caller without the lock.
func (sh *shard) tidyAlone() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return !sh.closed && sh.tidy()
}

// sweep removes up to a batch of expired sessions. It moves no others together: before the
// last batch it would move some that have expired.
func (sh *shard) sweep(now int64) (removed int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return 0
	}
	for removed < batch {
		due := sh.firstDue(now)
		if due == none {
			break
		}
		// The search compares the bounds of all blocks, so all of a block go at once.
		first := due - due%blockSlots
		for slot := first; slot < min(first+blockSlots, sh.slots.n) && removed < batch; slot++ {
			if sh.slots.version(slot) == 0 || sh.slots.expires(slot) > now {
				continue
			}
			v := sh.view(slot)
			sh.end(slot, &v)
			removed++
		}
	}
	sh.store.limits.expired.Add(uint64(removed))
	return removed
}
