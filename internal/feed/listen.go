package feed

import (
	"context"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/store"
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
		if time.Since(began) > backoff.LastBackoff {
			tries = 0
		}
		if !backoff.Pause(ctx, backoff.Backoff(tries)) {
			return
		}
	}
}
