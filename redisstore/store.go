package redisstore

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/store"
)

var errNoID = errors.New("redisstore: record without an id")

// Store keeps sessions in Redis. Make one with [New] or [Open].
type Store struct {
	client rueidis.Client
	b      rueidis.Builder
	config Config

	layout    layout    // how a session is stored
	topology  topology  // on which servers
	placement placement // and where the owners' indexes are

	hasOwners                bool
	indexPrefix, countPrefix string // see placement.prefixes

	closed  atomic.Bool
	life    context.Context // until Close
	stop    context.CancelFunc
	running sync.WaitGroup

	direct *direct // nil: all calls use the shared connection

	// The queues of calls that are batched.
	reads, writes *batch.Queue[commands]
	gets          *batch.Queue[get]
	updates       *batch.Queue[update]

	restoring             restoring
	warnForeign, warnLost sync.Once

	tracking *tracking // nil: the store was not opened, and cannot be watched
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Lister = (*Store)(nil)
	_ store.Pinger = (*Store)(nil)

	_ store.Unwrapper = (*Store)(nil)
)

// New makes a store that keeps sessions on the servers that c.Client is connected to. It
// returns an error if the server does not answer, refuses the user, or is older than Redis
// 6.2. Close ends the store's trimming.
func New(ctx context.Context, c Config) (*Store, error) {
	if c.Client == nil {
		return nil, errors.New("redisstore: Config.Client is nil: make one with rueidis.NewClient, or call Open")
	}
	if c.Heartbeat != 0 {
		return nil, errors.New("redisstore: Config.Heartbeat is for Open: a store with the caller's client cannot be watched")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return start(ctx, c, nil)
}

// start makes a store from a configuration that has its defaults and a client.
func start(ctx context.Context, c Config, t *tracking) (*Store, error) {
	s := &Store{client: c.Client, b: c.Client.B(), config: c, tracking: t}
	if err := s.setTopology(); err != nil {
		return nil, err
	}
	s.layout = newLayout(c, s.b)
	s.hasOwners = s.layout.hasOwners()
	s.indexPrefix, s.countPrefix = s.placement.prefixes()
	if t == nil && c.Client.Mode() == rueidis.ClientModeStandalone {
		s.direct = &direct{client: c.Client, b: s.b}
	}
	s.reads, s.writes = newQueue(c.Client, s.direct, true), newQueue(c.Client, s.direct, false)
	s.gets, s.updates = s.newGets(), s.newUpdates(c.Client)
	if err := s.inspect(ctx); err != nil {
		s.direct.close()
		return nil, err
	}
	s.topology.prepare(ctx)
	s.life, s.stop = context.WithCancel(context.Background())
	ctx = s.life
	s.trimRegularly(ctx)
	if t != nil {
		s.running.Go(func() { s.beat(ctx) })
		s.running.Go(func() { s.publish(ctx) })
	}
	return s, nil
}

// ready returns the error of a call that need not start.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Load implements [store.Store], in one round trip. A value under the id may be no session: it
// is truncated, belongs to another program, or is a list, hash or set. Load then returns a
// version without data (with Express, with the text if there is one). The caller gets a
// record that it cannot decode, and can replace or delete it. The first time, Load logs it to
// [Config.Logger].
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	r, err := s.layout.load(ctx, s, id)
	if errors.Is(err, errForeign) {
		s.warnForeign.Do(func() { s.config.Logger.WarnContext(ctx, "redisstore: "+err.Error()) })
		return r, nil
	}
	return r, s.wrap(ctx, "load", err)
}

// Create implements [store.Store]. If the server is out of memory, the error is
// [store.ErrFull].
func (s *Store) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if r.ID == "" {
		return 0, errNoID
	}
	w := s.newWrite(r)
	defer w.end()
	switch outcome, err := s.placement.create(ctx, w); {
	case err != nil:
		return 0, s.wrap(ctx, "create", err)
	case outcome == exists:
		return 0, store.ErrExists
	}
	w.done = true
	w.trim(ctx)
	return w.version, nil
}

// Update implements [store.Store], in one round trip. In a Cluster there are more when the
// owner changes, and with [Config.Express] two if the session has an owner. If the server is
// out of memory, the error is [store.ErrFull].
func (s *Store) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	w := s.newWrite(r)
	defer w.end()
	switch outcome, err := s.placement.update(ctx, w); {
	case err != nil:
		return 0, s.wrap(ctx, "update", err)
	case outcome == missing:
		return 0, store.ErrNotFound
	case outcome == conflict:
		return 0, store.ErrConflict
	}
	w.done = true
	w.trim(ctx)
	return w.version, nil
}

// Touch implements [store.Store]. It does not change the version.
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	keys, args := [1]string{s.key(id)}, [1]string{s.layout.expiry(expires)}
	outcome, err := s.eval(ctx, &s.layout.scripts().touch, keys[:], args[:]).AsInt64()
	if err == nil && outcome == missing {
		return store.ErrNotFound
	}
	return s.wrap(ctx, "touch", err)
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if !s.hasOwners {
		return s.wrap(ctx, "delete", s.do(ctx, s.client, s.b.Del().Key(s.key(id)).Build()).Error())
	}
	return s.wrap(ctx, "delete", s.placement.delete(ctx, id))
}

// Ping implements [store.Pinger]. It checks that the server answers, and in a Cluster that one
// node reports that all slots are served.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.wrap(ctx, "ping", s.topology.ping(ctx))
}

// Close ends the trimming and the watching. It closes a client that [Open] has made, which
// takes a second if a server does not answer. Calls under way then return [store.ErrClosed],
// or the answer that they have got. Close does not close the caller's client. It may be
// called several times. Afterwards all methods return [store.ErrClosed].
func (s *Store) Close() error {
	first := !s.closed.Swap(true)
	s.stop()
	s.direct.close()
	if s.tracking != nil && first {
		s.client.Close()
		s.tracking.feed.Close()
	}
	s.restoring.mu.Lock()
	//lint:ignore SA2001 a restoration that began under the lock is counted in running by now, and no other begins after it
	s.restoring.mu.Unlock()
	s.running.Wait()
	return nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
