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

// errNoID is what Create answers for a record without an id.
var errNoID = errors.New("redisstore: record without an id")

// Store keeps sessions in Redis. Make one with [New] or [Open].
type Store struct {
	client  rueidis.Client
	b       rueidis.Builder
	config  Config
	layout  layout
	cluster bool // there may be several servers
	spread  bool // an owner's index may be on another server than the session
	owned   bool // sessions have owners

	// What the keys of owners' indexes, and of their counts, begin with, for scripts; if
	// they are on the session's server.
	indexes, counts string
	closed          atomic.Bool
	life            context.Context // until Close
	stop            context.CancelFunc
	running         sync.WaitGroup

	// Where calls stand in line that go together if client is one server.
	reads, writes *batch.Queue[exchange]
	fetches       *batch.Queue[fetch]
	swaps         *batch.Queue[swap]

	repair                repair
	warnForeign, warnLost sync.Once

	tracking *tracking // nil: the store was not opened, and cannot be watched
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Lister = (*Store)(nil)
	_ store.Pinger = (*Store)(nil)

	_ store.Unwrapper = (*Store)(nil)
)

// New makes a store that keeps sessions where c.Client is connected to, and fails
// if that does not answer, refuses the user, or is older than Redis 6.2. Close it
// to end its trimming.
func New(ctx context.Context, c Config) (*Store, error) {
	if c.Client == nil {
		return nil, errors.New("redisstore: Config.Client is nil: make one with rueidis.NewClient, or call Open")
	}
	if c.Heartbeat != 0 {
		return nil, errors.New("redisstore: Config.Heartbeat is for Open: a store with a client of the caller's cannot be watched")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return start(ctx, c, nil)
}

// start makes a store of a configuration with defaults and a client.
func start(ctx context.Context, c Config, t *tracking) (*Store, error) {
	if err := c.checkCluster(); err != nil {
		return nil, err
	}
	s := &Store{
		client:  c.Client,
		b:       c.Client.B(),
		config:  c,
		cluster: c.Client.Mode() == rueidis.ClientModeCluster,
		spread:  c.Client.Mode() == rueidis.ClientModeCluster && !tagged(c.Prefix),
		owned:   !c.Express || c.OwnerOf != nil,

		tracking: t,
	}
	if !s.spread {
		s.indexes, s.counts = s.ownerKey(""), s.countKey("")
	}
	s.reads, s.writes = exchanges(c.Client, true), exchanges(c.Client, false)
	s.fetches = &batch.Queue[fetch]{Send: s.fetchAll, MaxInFlight: maxInFlight, MaxCalls: maxCalls}
	s.swaps = s.swapping(c.Client)
	s.layout = native{s.b, c.Now}
	if c.Express {
		s.layout = &express{s.b, c.TTL, c.OwnerOf, c.Now}
	}
	if err := s.inspect(ctx); err != nil {
		return nil, err
	}
	s.introduce(ctx)
	s.life, s.stop = context.WithCancel(context.Background())
	ctx = s.life
	s.trimRegularly(ctx)
	if t != nil {
		s.running.Go(func() { (&pulse{store: s}).run(ctx) })
		s.running.Go(func() { s.look(ctx) })
	}
	return s, nil
}

// ready is the error of a call that need not begin.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Load implements [store.Store], in one round trip. What is kept under the id and is no
// session, because it was cut, is another program's, or is a list, hash or set, is
// answered with a version and without data (with Express, what text there is), so that the caller sees a record that it
// cannot decode, and can replace or delete it. The first time, [Config.Logger] hears of it.
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	var r store.Record
	var err error
	if s.spread || s.config.Express {
		r, err = s.layout.record(id, s.read(ctx, s.client, s.layout.reads(nil, s.key(id))))
	} else {
		var value []byte
		value, err = s.fetch(ctx, s.key(id))
		r, err = parse(id, value, err)
	}
	if errors.Is(err, errForeign) {
		s.warnForeign.Do(func() { s.config.Logger.WarnContext(ctx, "redisstore: "+err.Error()) })
		return r, nil
	}
	return r, s.wrap(ctx, "load", err)
}

// Create implements [store.Store]. A server that is out of memory is
// [store.ErrFull].
func (s *Store) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if r.ID == "" {
		return 0, errNoID
	}
	w := s.writing(r)
	defer w.end()
	if w.apart {
		if err := w.list(ctx); err != nil {
			return 0, s.wrap(ctx, "create", err)
		}
	}
	switch outcome, err := w.run(ctx, &s.layout.scripts().create); {
	case err != nil:
		return 0, s.wrap(ctx, "create", err)
	case outcome == gone:
		return 0, store.ErrExists
	}
	w.done = true
	w.trim(ctx)
	return w.version, nil
}

// Update implements [store.Store], in one round trip; in a Cluster there are more
// when the owner changes, and with [Config.Express] two if there is one. A server that is
// out of memory is [store.ErrFull].
func (s *Store) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	w := s.writing(r)
	defer w.end()
	if w.apart && s.config.Express {
		if err := w.list(ctx); err != nil {
			return 0, s.wrap(ctx, "update", err)
		}
	}
	outcome, err := w.swap(ctx)
	if err == nil && outcome == unlisted {
		if err = w.list(ctx); err == nil {
			outcome, err = w.swap(ctx)
		}
	}
	switch {
	case err != nil:
		return 0, s.wrap(ctx, "update", err)
	case outcome == gone:
		return 0, store.ErrNotFound
	case outcome == changed:
		return 0, store.ErrConflict
	}
	w.done = true
	w.trim(ctx)
	return w.version, nil
}

// Touch implements [store.Store]. It leaves the version as it is.
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	keys, args := [1]string{s.key(id)}, [1]string{s.layout.lifetime(expires)}
	outcome, err := s.eval(ctx, &s.layout.scripts().touch, keys[:], args[:]).AsInt64()
	if err == nil && outcome == gone {
		return store.ErrNotFound
	}
	return s.wrap(ctx, "touch", err)
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if !s.owned {
		return s.wrap(ctx, "delete", s.do(ctx, s.client, s.b.Del().Key(s.key(id)).Build()).Error())
	}
	return s.wrap(ctx, "delete", s.deleteOwned(ctx, id))
}

// Ping implements [store.Pinger]: whether the server answers, and in a Cluster
// whether one says that all of it does.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.wrap(ctx, "ping", s.ping(ctx))
}

// Close ends the trimming and the watching. A client that [Open] made is closed, which
// takes a second where a server is silent; calls under way then answer
// [store.ErrClosed] or what they were answered before. The caller's client is left open.
// It may be called several times. Afterwards all methods answer [store.ErrClosed].
func (s *Store) Close() error {
	first := !s.closed.Swap(true)
	s.stop()
	if s.tracking != nil && first {
		s.client.Close()
		s.tracking.feed.Close()
	}
	s.repair.mu.Lock()
	//lint:ignore SA2001 a repair that had begun under the lock is counted in running by now, and none begins from here on
	s.repair.mu.Unlock()
	s.running.Wait()
	return nil
}

// version is how scripts see a version.
func version(v store.Version) string {
	return rueidis.BinaryString(appendHex(make([]byte, 0, 16), uint64(v)))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
