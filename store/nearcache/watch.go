package nearcache

import (
	"context"

	"github.com/nestsession/session/store"
)

// watched is the store behind, as Unwrap shows it.
type watched struct {
	store.Store
	near *Cache
}

// Unwrap leads to the store's other optional interfaces.
func (w watched) Unwrap() store.Store { return w.Store }

// Watch implements [store.Watcher]: one watch of the store serves the cache and all who
// watch that, each event after the cache has dropped what it is about.
func (w watched) Watch(ctx context.Context, fn func(store.Event)) error {
	return w.near.feed.Watch(ctx, fn)
}

// heard takes note of a change.
func (n *Cache) heard(e store.Event) {
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
		// One goroutine hears, and moments come in order.
		n.whole.Store(int64(e.Whole.Sub(n.began)))
	}
	n.feed.Send(e)
}
