// Package memstore keeps sessions in the memory of one process: the default
// store, for a single node, for development and for tests.
//
// It is bounded, removes expired sessions by itself and is safe for concurrent use. The
// sessions of [New] are lost when the process ends. Those of [Open] are written to a file, and
// restored when the next process opens it, also after a crash.
//
//	s := memstore.New(memstore.Config{MaxSessions: 200_000})
//	defer s.Close()
//
// # Memory
//
// The sessions are kept outside the Go heap, where the operating system allows it: on Linux,
// macOS and the BSDs, but not on Windows, and not under the race detector. A garbage
// collection does not read them, and the heap does not grow by them. What documents have in
// common, such as the names of their members, is kept once. What [Store.Load] returns is a
// copy. A session of more than 32 KB (1 KB where all sessions are on the heap) is an object of
// its own on the heap, and is not copied.
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
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/internal/arena"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// errNoID is what Create returns for a record without an id.
var errNoID = errors.New("memstore: record without an id")

// Store keeps sessions in memory. Make one with [New].
type Store struct {
	seed     maphash.Seed
	mask     uint64
	shards   []shard
	hints    []hints // of the shards; together, because a search for a session to evict reads all
	memory   *arena.Arena
	words    words
	versions atomic.Uint64 // the last that was given to a shard
	clock    clock
	epoch    int64 // what times of use count from
	limits   limits
	feed     feed.Feed
	sweep    sweeper
	saves    saver
	journal  *journal // nil: changes are in no file
	closed   atomic.Bool
	closing  sync.Mutex
}

// hints about a shard can be read without its lock. No record expires earlier, and none was
// used longer ago.
type hints struct {
	due    atomic.Int64 // an instant; never if no record expires
	oldest atomic.Int64 // as [Store.use] has it; never if there is no record
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
	s := &Store{seed: maphash.MakeSeed(), memory: new(arena.Arena)}
	s.clock.init(c.Now)
	s.epoch = s.clock.now() - int64(maxClockStep)
	s.limits.init(c)
	s.sweep.init(c.SweepInterval)
	n := shardCount(s.limits.maxSessions)
	s.mask = uint64(n - 1)
	s.shards = make([]shard, n)
	s.hints = make([]hints, n)
	for i := range s.shards {
		s.shards[i].init(s, &s.hints[i])
	}
	runtime.AddCleanup(s, func(memory *arena.Arena) { memory.Close() }, s.memory)
	return s
}

// maxClockStep is how far the clock may be set back without harm to the order of use.
const maxClockStep = 365 * 24 * time.Hour

// use is the time of use that is kept, in 1,024 nanoseconds since the epoch. 48 bits of
// them are nine years.
func (s *Store) use(now int64) int64 {
	return min(max(now-s.epoch, 0)>>10, max48)
}

// usedAt returns the instant of a time of use.
func (s *Store) usedAt(used int64) int64 { return used<<10 + s.epoch }

// shardCount is a power of two. A large store has many shards, so that writers, sweeps and
// growing maps rarely wait for each other. A small store has one.
func shardCount(maxSessions int64) int {
	const share, most = 2048, 256
	n := min(uint64(maxSessions)/share, most)
	return 1 << max(bits.Len64(n)-1, 0)
}

func (s *Store) shard(id string) *shard {
	k := s.key(id)
	return s.shardOf(&k)
}

func (s *Store) shardOf(k *key) *shard { return &s.shards[k.hash&s.mask] }

// Load implements [store.Store]. It returns an expired record with [store.ErrExpired] until
// the record is swept.
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	return s.LoadSince(ctx, id, 0)
}

// LoadSince implements [store.SinceLoader]. It counts as a use of the session, as Load does.
func (s *Store) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	k := s.key(id)
	return s.shardOf(&k).load(&k, have, s.clock.now())
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
	now := s.clock.sync()
	buf := scratches.Get().(*scratch)
	defer scratches.Put(buf)
	e := s.encode(r, buf)
	sh := s.shardOf(&e.key)
	for {
		v, err := sh.create(&e, now)
		if err == nil {
			s.sweep.arm(s, r.Expires)
		}
		if err != errNoRoom {
			return v, err
		}
		if err := s.makeRoom(ctx, &e, now); err != nil {
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
	now := s.clock.sync()
	buf := scratches.Get().(*scratch)
	defer scratches.Put(buf)
	e := s.encode(r, buf)
	sh := s.shardOf(&e.key)
	for {
		v, err := sh.update(&e, r.Version, now)
		if err == nil {
			s.sweep.arm(s, r.Expires)
		}
		if err != errNoRoom {
			return v, err
		}
		if err := s.makeRoom(ctx, &e, now); err != nil {
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
	k := s.key(id)
	if err := s.shardOf(&k).touch(&k, expires, now); err != nil {
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
	k := s.key(id)
	return s.shardOf(&k).delete(&k)
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
// [store.ErrClosed] from then on. The store of [Open] writes them to its file first; if
// Close returns an error, it has not, and the file is as it was before. Close may be called
// multiple times.
func (s *Store) Close() (err error) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	s.sweep.close()
	s.saves.close()
	for i := range s.shards {
		s.shards[i].shut()
	}
	if s.saves.file != "" {
		err = s.save(context.Background(), true)
	}
	for i := range s.shards {
		s.shards[i].empty()
	}
	s.memory.Close()
	s.feed.Close()
	return err
}

// Stats returns the store's counts, for metrics. It is cheap.
func (s *Store) Stats() Stats {
	return s.limits.stats()
}
