// Package jitter is how the library waits before it tries again: longer each time, and a
// part of it at random, so that nodes which have failed together do not come back
// together.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// The bounds of Backoff.
const (
	FirstBackoff = 100 * time.Millisecond
	LastBackoff  = 5 * time.Second
)

// source returns a number below n. The simulation puts one in its place that it can
// repeat, before anything runs.
var source = rand.Int64N

// Replace makes f the source, for a program that has to run twice alike.
func Replace(f func(n int64) int64) { source = f }

// Below returns a random duration that is shorter than d, which is positive.
func Below(d time.Duration) time.Duration { return time.Duration(source(int64(d))) }

// Backoff is how long to wait after so many tries have failed, a half of it random.
func Backoff(tries int) time.Duration {
	d := min(FirstBackoff<<min(tries, 10), LastBackoff)
	return d/2 + Below(d/2)
}

// Pause waits, and reports whether ctx goes on.
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
