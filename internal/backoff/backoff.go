// Package backoff determines how long the library waits before it tries again: longer each time,
// and in part random, so that nodes that failed at the same moment do not try again at the same
// moment.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// The limits of Backoff, without the random part.
const (
	FirstBackoff = 100 * time.Millisecond
	LastBackoff  = 5 * time.Second
)

// source returns a number below n. A simulation replaces it, before anything else runs, to make a
// run repeatable.
var source = rand.Int64N

// Replace makes f the source, for a program whose runs must be repeatable.
func Replace(f func(n int64) int64) { source = f }

// Below returns a random duration that is shorter than d, which is positive.
func Below(d time.Duration) time.Duration { return time.Duration(source(int64(d))) }

// Backoff returns how long to wait after so many failures. Half of it is random.
func Backoff(tries int) time.Duration {
	d := min(FirstBackoff<<min(tries, 10), LastBackoff)
	return d/2 + Below(d/2)
}

// Pause waits, and reports whether ctx has not ended.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
