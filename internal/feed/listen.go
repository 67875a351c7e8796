package feed

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nestsession/session/store"
)

// How long to wait before a watch that has broken off is begun again: doubled each
// time, a random half of it.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Listen watches until ctx ends. A watch that breaks off is begun anew, and heard is
// told that events were missed.
func Listen(ctx context.Context, w store.Watcher, heard func(store.Event)) {
	for tries := 0; ; tries++ {
		began := time.Now()
		_ = w.Watch(ctx, heard)
		if ctx.Err() != nil {
			return
		}
		heard(store.Event{})
		if time.Since(began) > lastPause {
			tries = 0
		}
		if !Pause(ctx, Backoff(tries)) {
			return
		}
	}
}

// Backoff is how long to wait after so many failures. A half of it is random: nodes
// that have lost the same server do not come back to it together.
func Backoff(tries int) time.Duration {
	d := min(firstPause<<min(tries, 10), lastPause)
	return d/2 + rand.N(d/2)
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
