package nearcache

import (
	"context"

	"github.com/nestsession/session/store"
)

// watched is the store behind, as Unwrap returns it.
type watched struct {
	store.Store
	near *Cache
}

// Unwrap lets store.As find the store's other optional interfaces.
func (w watched) Unwrap() store.Store { return w.Store }

// Watch implements [store.Watcher]. One watch of the store serves the cache and all its
// watchers; they get an event after the cache has dropped its record.
func (w watched) Watch(ctx context.Context, fn func(store.Event)) error {
	return w.near.feed.Watch(ctx, fn)
}

// onEvent updates the cache for a change, and passes the event on.
func (n *Cache) onEvent(e store.Event) {
	switch {
	case e.ID != "":
		n.shard(e.ID).drop(e)
	case e.Digest != store.Digest{}:
		for i := range n.shards {
			n.shards[i].dropDigest(e)
		}
	case e.Whole.IsZero():
		for i := range n.shards {
			n.shards[i].clear()
		}
	default:
		// Only one goroutine calls onEvent, so the moments are in order.
		n.whole.Store(int64(e.Whole.Sub(n.began)))
	}
	n.feed.Send(e)
}
