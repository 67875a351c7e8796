// Package memstore keeps sessions in the memory of one process: the default
// store, for a single node, for development and for tests.
//
// It is bounded, removes expired sessions by itself and is safe for concurrent use. The
// sessions are lost when the process ends.
//
//	s := memstore.New(memstore.Config{MaxSessions: 200_000})
//	defer s.Close()
//
// # Limits
//
// The zero [Config] keeps at most [DefaultMaxSessions] sessions and [DefaultMaxBytes]
// bytes, whichever limit is reached first. [Config.AtLimit] says what happens then; expired
// sessions are always removed first. The store never exceeds the limits, also under
// concurrent writes.
//
// # Expiry
//
// Each method checks the expiry itself, so it never returns an expired session, whether or
// not it has been swept. (The next write or sweep notices that the system clock was set, or
// that the machine was asleep.) Sweeping only frees memory: it reads only expired sessions,
// removes a few at a time, and lets requests run in between. It runs on a timer that exists
// only while the store holds sessions that expire, and no goroutine exists between two
// sweeps. A store that is dropped without [Store.Close] is garbage collected like any other
// value.
//
// In a bubble of testing/synctest, make the store inside the bubble; it does not
// keep the bubble from ending.
package memstore

import (
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// errNoID is what Create returns for a record without an id.
var errNoID = errors.New("memstore: record without an id")

// Store keeps sessions in memory. Make one with [New].
type Store struct {
	seed   maphash.Seed
	mask   uint64
	shards []shard
	clock  clock
	limits limits
	feed   feed.Feed
	sweep  sweeper
	closed atomic.Bool
}

var (
	_ store.Store       = (*Store)(nil)
	_ store.Lister      = (*Store)(nil)
	_ store.Watcher     = (*Store)(nil)
	_ store.Sweeper     = (*Store)(nil)
	_ store.Pinger      = (*Store)(nil)
	_ store.SinceLoader = (*Store)(nil)
)

// New returns an empty store. Close frees its memory at once.
func New(c Config) *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.clock.init(c.Now)
	s.limits.init(c)
	s.sweep.init(c.SweepInterval)
	n := shardCount(s.limits.maxSessions)
	s.mask = uint64(n - 1)
	s.shards = make([]shard, n)
	for i := range s.shards {
		s.shards[i].init(s)
	}
	return s
}

// shardCount is a power of two. A large store has many shards, so that writers, sweeps and
// growing maps rarely wait for each other. A small store has one.
func shardCount(maxSessions int64) int {
	const share, most = 2048, 1024
	n := min(uint64(maxSessions)/share, most)
	return 1 << max(bits.Len64(n)-1, 0)
}

func (s *Store) shard(id string) *shard {
	return &s.shards[maphash.String(s.seed, id)&s.mask]
}

// Load implements [store.Store]. It returns an expired record with [store.ErrExpired] until
// the record is swept. It does not allocate.
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	now := s.clock.now()
	sh := s.shard(id)
	sh.mu.Lock()
	e := sh.records[id]
	if e == nil || e.expires <= now {
		var r store.Record
		err := sh.missing(e)
		if errors.Is(err, store.ErrExpired) {
			r = e.record()
		}
		sh.mu.Unlock()
		return r, err
	}
	sh.use(e, now)
	r := e.record()
	sh.mu.Unlock()
	return r, nil
}

// LoadSince implements [store.SinceLoader]. It counts as a use of the session, as Load does.
func (s *Store) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	r, err := s.Load(ctx, id)
	if r.Version == have {
		r.Data = nil
	}
	return r, err
}

// Create implements [store.Store]. If it reaches a limit, it does what [Config.AtLimit]
// says.
func (s *Store) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if r.ID == "" {
		return 0, errNoID
	}
	r = normal(r)
	now := s.clock.sync()
	sh := s.shard(r.ID)
	for {
		v, err := sh.create(r, now)
		if err == nil {
			s.sweep.arm(s, r.Expires)
		}
		if err != errNoRoom {
			return v, err
		}
		if err := s.makeRoom(ctx, r, now); err != nil {
			return 0, err
		}
	}
}

// Update implements [store.Store]. If the record grows beyond a limit, it does what
// [Config.AtLimit] says, so it may return [store.ErrFull], too; it leaves the record
// unchanged then.
func (s *Store) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r = normal(r)
	now := s.clock.sync()
	sh := s.shard(r.ID)
	for {
		v, err := sh.update(r, now)
		if err == nil {
			s.sweep.arm(s, r.Expires)
		}
		if err != errNoRoom {
			return v, err
		}
		if err := s.makeRoom(ctx, r, now); err != nil {
			return 0, err
		}
	}
}

// Touch implements [store.Store]. It does not change the version.
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	expires = expires.Round(0)
	now := s.clock.sync()
	sh := s.shard(id)
	if err := sh.touch(id, expires, now); err != nil {
		return err
	}
	s.sweep.arm(s, expires)
	return nil
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.shard(id).delete(id)
}

// Ping implements [store.Pinger]. It returns [store.ErrClosed] after Close.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Watch implements [store.Watcher]. Its first event has no ID: changes before it may have
// been missed. From then on Watch reports updates, touches and deletions, evicted and swept
// sessions, and the creation of a record in the place of an expired one. A caller that is
// more than 1024 events behind gets one event without an ID in their place. Watch returns
// the error of ctx, or [store.ErrClosed] after Close.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	return s.feed.Watch(ctx, fn)
}

// Close drops all sessions, and stops sweeping and every Watch. All methods return
// [store.ErrClosed] from then on. Close may be called multiple times.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.sweep.close()
	for i := range s.shards {
		s.shards[i].close()
	}
	s.feed.Close()
	return nil
}

// normal returns r in the form that is kept: its expiry has no monotonic clock reading, and
// the array of its data is not much larger than its counted size and has no room to append.
func normal(r store.Record) store.Record {
	const slack = 512
	r.Expires = r.Expires.Round(0)
	if cap(r.Data)-len(r.Data) > slack {
		r.Data = slices.Clone(r.Data)
	}
	r.Data = slices.Clip(r.Data)
	return r
}

// Stats returns the store's counts, for metrics. It is cheap.
func (s *Store) Stats() Stats {
	return s.limits.stats()
}
