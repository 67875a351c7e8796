package feed

import (
	"context"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/store"
)

// Listen calls fn for each event until ctx ends. When a watch fails, it calls fn with an event
// without an ID, since events may be missed, and starts another.
func Listen(ctx context.Context, w store.Watcher, fn func(store.Event)) {
	for tries := 0; ; tries++ {
		began := time.Now()
		_ = w.Watch(ctx, fn)
		if ctx.Err() != nil {
			return
		}
		fn(store.Event{})
		if time.Since(began) > backoff.LastBackoff {
			tries = 0
		}
		if !backoff.Pause(ctx, backoff.Backoff(tries)) {
			return
		}
	}
}
