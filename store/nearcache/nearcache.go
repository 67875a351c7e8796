// Package nearcache keeps the sessions that a node reads often in its memory, in front
// of the store that all nodes share, so that no request need go to the same node as the
// one before it and yet most reads go nowhere.
//
//	shared, err := redisstore.New(ctx, …)
//	near, err := nearcache.New(shared, nearcache.Config{})
//	defer near.Close()
//	sessions, err := session.New[Account](session.Config{Store: near, …})
//
// # What a reader sees
//
// A request sees every write that this node has finished before the request began. It
// sees what other nodes have written, a logout above all, as soon as the store's
// [store.Watcher] has told of it, which is a matter of milliseconds, and after
// [Config.MaxStale] at the latest even if the connection is dead without saying so, or
// the store cannot tell of changes at all. It never sees an older state after a newer
// one. What it reads may be that old; what it writes is compared with what the store
// holds, so that no update is lost, and nothing that has ended is revived, because of
// the cache.
//
// One thing may be seen later: that an expiry was moved to a later time elsewhere, by a
// store that spares its watchers such a touch. When the time comes that the cache knows,
// the store is asked.
//
// That there is no session is not remembered: a login elsewhere is seen at once.
package nearcache

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// Cache is a store in front of another. Make one with [New].
type Cache struct {
	inner  store.Store
	behind store.Store // what Unwrap shows
	now    func() time.Time
	began  time.Time // when the cache was made; moments are counted from it
	stale  int64     // ns
	seed   maphash.Seed
	shards [64]shard
	feed   feed.Feed

	whole  atomic.Int64 // until then all changes have been told
	closed atomic.Bool
	stop   context.CancelFunc
	done   sync.WaitGroup
	counts counts
}

var _ store.Store = (*Cache)(nil)

// New makes an empty cache in front of a store, and watches that if it is a
// [store.Watcher]; if not, each record is read anew after Config.MaxStale. Close it to
// end that. The error names what in c cannot work.
func New(inner store.Store, c Config) (*Cache, error) {
	c, err := c.withDefaults(inner)
	if err != nil {
		return nil, err
	}
	n := &Cache{inner: inner, behind: inner, now: c.Now, began: time.Now(), stale: int64(c.MaxStale), seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].init(c.MaxBytes/int64(len(n.shards)), &n.counts)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	if w, ok := store.As[store.Watcher](inner); ok {
		n.behind = watched{inner, n}
		n.done.Go(func() { feed.Listen(ctx, w, n.heard) })
	}
	return n, nil
}

// errWrongRecord keeps one session's record from being taken for another's.
var errWrongRecord = errors.New("nearcache: the store answered another record than the one that was asked for")

// Load implements [store.Store]. A record of another id than the one asked for is an
// error, and is not kept.
func (n *Cache) Load(ctx context.Context, id string) (store.Record, error) {
	if err := n.ready(ctx); err != nil {
		return store.Record{}, err
	}
	sh := n.shard(id)
	asked := n.moment()
	rec, ok, f := sh.lookup(id, max(asked-n.stale, 0), n.whole.Load() >= asked-n.stale)
	if ok {
		if rec.Expires.IsZero() || rec.Expires.After(n.now()) {
			n.counts.hits.Add(1)
			return rec, nil
		}
		f = sh.retire(id) // perhaps it was touched elsewhere a moment ago
	}
	n.counts.misses.Add(1)
	rec, err := n.inner.Load(ctx, id)
	if err == nil && rec.ID != id {
		rec, err = store.Record{}, errWrongRecord
	}
	sh.land(f, rec, asked, err == nil)
	return rec, err
}

// Create implements [store.Store].
func (n *Cache) Create(ctx context.Context, r store.Record) (store.Version, error) {
	return n.write(ctx, r, n.inner.Create)
}

// Update implements [store.Store].
func (n *Cache) Update(ctx context.Context, r store.Record) (store.Version, error) {
	return n.write(ctx, r, n.inner.Update)
}

// write passes a record on. If it is kept, and nobody else has changed it meanwhile, the
// next to read it on this node need not ask.
func (n *Cache) write(ctx context.Context, r store.Record, do func(context.Context, store.Record) (store.Version, error)) (store.Version, error) {
	if err := n.ready(ctx); err != nil {
		return 0, err
	}
	sh, asked := n.shard(r.ID), n.moment()
	f := sh.begin(r.ID)
	v, err := do(ctx, r)
	r.Version = v
	// How a store keeps "never" is its own affair: that is read again.
	sh.finish(f, r, asked, err == nil && !r.Expires.IsZero())
	return v, err
}

// Touch implements [store.Store].
func (n *Cache) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := n.ready(ctx); err != nil {
		return err
	}
	sh := n.shard(id)
	f := sh.begin(id)
	defer sh.finish(f, store.Record{}, 0, false)
	return n.inner.Touch(ctx, id, expires)
}

// Delete implements [store.Store].
func (n *Cache) Delete(ctx context.Context, id string) error {
	if err := n.ready(ctx); err != nil {
		return err
	}
	sh := n.shard(id)
	f := sh.begin(id)
	defer sh.finish(f, store.Record{}, 0, false)
	return n.inner.Delete(ctx, id)
}

// Unwrap returns the store behind, with a Watcher, if it has one, that reports a change
// when this cache has taken note of it.
func (n *Cache) Unwrap() store.Store { return n.behind }

// ready refuses what cannot be done any more.
func (n *Cache) ready(ctx context.Context) error {
	if n.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Close ends the watch and forgets everything; all methods answer [store.ErrClosed] from
// then on. The store behind is the caller's to close.
func (n *Cache) Close() error {
	if n.closed.Swap(true) {
		return nil
	}
	n.stop()
	n.done.Wait()
	n.feed.Close()
	for i := range n.shards {
		n.shards[i].close()
	}
	return nil
}

func (n *Cache) shard(id string) *shard {
	return &n.shards[maphash.String(n.seed, id)%uint64(len(n.shards))]
}

// moment is the time since the cache was made, in ns, which no setting of a clock moves.
func (n *Cache) moment() int64 { return int64(time.Since(n.began)) }
