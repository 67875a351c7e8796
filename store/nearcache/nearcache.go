// Package nearcache keeps the sessions that a node reads often in the node's memory, in
// front of the store that all nodes share. Most reads then need no round trip, although
// requests of one session may go to any node.
//
//	shared, err := redisstore.New(ctx, …)
//	near, err := nearcache.New(shared, nearcache.Config{})
//	defer near.Close()
//	sessions, err := session.New[Account](session.Config{Store: near, …})
//
// # What a reader sees
//
// A request sees every write that this node has finished before the request began. It sees
// the writes of other nodes, above all a logout, as soon as the store's [store.Watcher]
// reports them, usually within milliseconds, and after [Config.MaxStale] at the latest:
// also if the connection is dead without an error, or if the store cannot report changes.
// A request never sees an older state after a newer one. Only reads may be out of date: the
// store compares the version of each write, so the cache neither loses an update nor
// revives a session that has ended.
//
// There is one exception: another node may move an expiry to a later time, and the store
// need not report that. The cache loads the record again when the expiry that it knows has
// come.
//
// The cache does not remember that a session does not exist, so it sees a login on another
// node at once.
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
	behind store.Store // what Unwrap returns
	now    func() time.Time
	began  time.Time // when the cache was made; moments count from it
	stale  int64     // ns
	seed   maphash.Seed
	shards [64]shard
	feed   feed.Feed

	whole  atomic.Int64 // the moment until which all changes have been reported
	closed atomic.Bool
	stop   context.CancelFunc
	done   sync.WaitGroup
	counts counts
}

var _ store.Store = (*Cache)(nil)

// New returns an empty cache in front of a store. It watches the store if that is a
// [store.Watcher], until Close; if not, it loads each record again after Config.MaxStale.
// The error names the fields of c that cannot work.
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
		n.done.Go(func() { feed.Listen(ctx, w, n.onEvent) })
	}
	return n, nil
}

// errWrongRecord prevents that one session's record is taken for another's.
var errWrongRecord = errors.New("nearcache: the store returned a record with another id than the requested one")

// Load implements [store.Store]. If the store returns a record with another id, Load
// returns an error and does not keep the record.
func (n *Cache) Load(ctx context.Context, id string) (store.Record, error) {
	if err := n.ready(ctx); err != nil {
		return store.Record{}, err
	}
	sh := n.shard(id)
	began := n.moment()
	rec, ok, f := sh.lookup(id, max(began-n.stale, 0), n.whole.Load() >= began-n.stale)
	if ok {
		if rec.Expires.IsZero() || rec.Expires.After(n.now()) {
			n.counts.hits.Add(1)
			return rec, nil
		}
		f = sh.reload(id) // another node may have touched it
	}
	n.counts.misses.Add(1)
	rec, err := n.inner.Load(ctx, id)
	if err == nil && rec.ID != id {
		rec, err = store.Record{}, errWrongRecord
	}
	sh.endLoad(f, rec, began, err == nil)
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

// write writes a record to the store. If that succeeds, and no other write has changed the
// record meanwhile, the next read on this node finds it in the cache.
func (n *Cache) write(ctx context.Context, r store.Record, do func(context.Context, store.Record) (store.Version, error)) (store.Version, error) {
	if err := n.ready(ctx); err != nil {
		return 0, err
	}
	sh, began := n.shard(r.ID), n.moment()
	f := sh.beginWrite(r.ID)
	v, err := do(ctx, r)
	r.Version = v
	// A store may keep "never" as a later time of its own, so such a record is loaded again.
	sh.endWrite(f, r, began, err == nil && !r.Expires.IsZero())
	return v, err
}

// Touch implements [store.Store].
func (n *Cache) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := n.ready(ctx); err != nil {
		return err
	}
	sh := n.shard(id)
	f := sh.beginWrite(id)
	defer sh.endWrite(f, store.Record{}, 0, false)
	return n.inner.Touch(ctx, id, expires)
}

// Delete implements [store.Store].
func (n *Cache) Delete(ctx context.Context, id string) error {
	if err := n.ready(ctx); err != nil {
		return err
	}
	sh := n.shard(id)
	f := sh.beginWrite(id)
	defer sh.endWrite(f, store.Record{}, 0, false)
	return n.inner.Delete(ctx, id)
}

// Unwrap returns the store behind. If that is a Watcher, the returned store's Watch reports
// a change after this cache has dropped the record.
func (n *Cache) Unwrap() store.Store { return n.behind }

// ready returns an error if the cache is closed or ctx has ended.
func (n *Cache) ready(ctx context.Context) error {
	if n.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Close ends the watch and drops all records. All methods return [store.ErrClosed] from
// then on. Close does not close the store behind.
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

// moment is the time since the cache was made, in ns. It does not change when a clock is set.
func (n *Cache) moment() int64 { return int64(time.Since(n.began)) }
