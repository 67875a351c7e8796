package natsstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/batch"
	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// Store keeps sessions in a bucket. It is safe for concurrent use, also by several processes.
type Store struct {
	config  Config
	conn    *nats.Conn
	ownConn bool
	js      jetstream.JetStream
	stream  string // the stream's name
	prefix  string // of the bucket's subjects
	single  bool   // only one server has the stream, so that no answer is out of date

	getSubject  string // where reads go
	instance    string // the token of this store's barriers
	syncSubject string // of the barriers of reads
	answers     *answers
	reads       *batch.Queue[read]
	known       memo

	closed  atomic.Bool
	changes feed.Source

	restoring sync.Mutex      // held while a lost bucket is made again, and from Close on
	ending    context.Context // ends by Close
	end       context.CancelFunc
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Watcher = (*Store)(nil)
	_ store.Pinger  = (*Store)(nil)
)

// New opens the bucket, and creates it if it does not exist. It waits for
// servers that are starting, until ctx's deadline, or for [Config.Timeout] if ctx has none. It returns an
// error if the bucket cannot be opened by then, or has other settings than a Store needs.
func New(ctx context.Context, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		config:   c,
		conn:     c.Conn,
		stream:   "KV_" + c.Bucket,
		prefix:   "$KV." + c.Bucket + ".",
		instance: "b" + nuid.Next(),
	}
	s.changes = feed.Source{Listen: s.listen, Logger: c.Logger, Package: "natsstore", Where: slog.String("bucket", c.Bucket)}
	s.ending, s.end = context.WithCancel(context.Background())
	s.getSubject = "$JS.API.DIRECT.GET." + s.stream
	s.syncSubject = s.prefix + "sync." + s.instance
	s.reads = &batch.Queue[read]{Send: s.sendReads, MaxInFlight: maxReadsInFlight, MaxCalls: maxReads}
	if s.js, err = jetstream.New(s.conn); err != nil {
		return nil, fmt.Errorf("natsstore: %w", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("natsstore: opening the bucket %s: %w", c.Bucket, err)
	}
	if s.answers, err = newAnswers(s.conn, s.getSubject); err != nil {
		return nil, fmt.Errorf("natsstore: %w", err)
	}
	return s, nil
}

// Open connects to the servers and opens the bucket. The urls are separated by commas
// ("nats://10.0.0.1,nats://10.0.0.2"); Config.Conn stays nil. The options come after those of
// [Options]. Close closes the connection.
func Open(ctx context.Context, urls string, c Config, options ...nats.Option) (*Store, error) {
	if c.Conn != nil {
		return nil, errors.New("natsstore: Open makes the connection; leave out Config.Conn, or call New")
	}
	var err error
	if c.Conn, err = nats.Connect(urls, append(Options(), options...)...); err != nil {
		return nil, fmt.Errorf("natsstore: connecting: %w", err)
	}
	s, err := New(ctx, c)
	if err != nil {
		c.Conn.Close()
		return nil, err
	}
	s.ownConn = true
	return s, nil
}

// Close ends every Watch; later calls return [store.ErrClosed]. It may be called multiple times.
func (s *Store) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return nil
	}
	s.end()
	s.changes.Close()
	s.restoring.Lock()
	_ = s.answers.sub.Unsubscribe()
	if s.ownConn {
		s.conn.Close()
	}
	return nil
}

// begin checks that the store can be used, and limits ctx.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s.closed.Load() {
		return nil, nil, store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	return ctx, cancel, nil
}

// wrap says what has failed.
func (s *Store) wrap(ctx context.Context, what string, err error) error {
	switch {
	case err == nil, isAnswer(err):
		return err
	case s.closed.Load():
		return store.ErrClosed
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("natsstore: %s: %w: %w", what, ctx.Err(), err)
	}
	return fmt.Errorf("natsstore: %s: %w", what, err)
}

func isAnswer(err error) bool {
	return err == store.ErrNotFound || err == store.ErrExpired || err == store.ErrConflict || err == store.ErrExists
}

// pause waits before the try after n that have failed, and reports whether ctx has not ended.
func pause(ctx context.Context, n int) bool {
	const first, last = time.Millisecond, 200 * time.Millisecond
	if n < 0 {
		n = 0
	}
	d := min(first<<min(n, 10), last)
	return backoff.Pause(ctx, d/2+backoff.Below(d))
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, id string) (store.Record, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return store.Record{}, err
	}
	defer done()
	st, err := s.load(ctx, id)
	if err != nil {
		return store.Record{}, s.wrap(ctx, "loading", err)
	}
	s.known.put(id, st)
	return st.record(id, s.config.Now())
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record) (store.Version, error) {
	absent := func() (state, bool) { return state{}, true }
	return s.write(ctx, "creating", r.ID, absent, func(st state) (*state, error) {
		if _, err := st.record(r.ID, s.config.Now()); err == nil {
			return nil, store.ErrExists
		}
		return next(r), nil
	})
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, r store.Record) (store.Version, error) {
	known := func() (state, bool) {
		st, ok := s.known.get(r.ID)
		return st, ok && st.seq == uint64(r.Version)
	}
	return s.write(ctx, "updating", r.ID, known, func(st state) (*state, error) {
		if _, err := st.record(r.ID, s.config.Now()); err != nil {
			return nil, err
		}
		if st.seq != uint64(r.Version) {
			return nil, store.ErrConflict
		}
		return next(r), nil
	})
}

// Touch implements [store.Store]. It reads the record and replaces it by one with the new expiry, if
// nobody has changed it meanwhile, else again. So the record gets a new version.
func (s *Store) Touch(ctx context.Context, id string, expires time.Time) error {
	_, err := s.write(ctx, "touching", id, nil, func(st state) (*state, error) {
		r, err := st.record(id, s.config.Now())
		if err != nil {
			return nil, err
		}
		r.Expires = expires
		return next(r), nil
	})
	return err
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	known := func() (state, bool) {
		st, ok := s.known.get(id)
		return st, ok && st.live
	}
	_, err := s.write(ctx, "deleting", id, known, func(st state) (*state, error) {
		if !st.live {
			return nil, errNothing
		}
		return &state{id: id}, nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// errNothing says that there is nothing to delete.
var errNothing = errors.New("nothing to delete")

// next is the state that a record asks for.
func next(r store.Record) *state {
	return &state{live: true, id: r.ID, owner: r.Owner, data: r.Data, expires: toMillis(r.Expires)}
}

// write reads a state, decides what replaces it, and swaps, again if the state has changed meanwhile.
// The first state is what guess returns, if it knows one, or what one server has; it may be out of
// date, because the swap is refused then. An error of decide is returned only for a state that is
// not out of date.
func (s *Store) write(ctx context.Context, what, id string, guess func() (state, bool), decide func(state) (*state, error)) (store.Version, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	w := writing{s: s, id: id, nonce: rand.Uint64() | 1, decide: decide}
	defer func() {
		done()
		for _, late := range w.late {
			<-late.swapped // it reads the caller's data
		}
	}()
	st, ok := state{}, false
	if guess != nil {
		st, ok = guess()
	}
	if !ok {
		if st, err = s.peek(ctx, id); err != nil {
			return 0, s.wrap(ctx, what, err)
		}
	}
	for n := 0; ; n++ {
		seq, again, err := w.try(ctx, n, st, n > 0 || !ok && s.single)
		if !again {
			if err != nil {
				s.known.drop(id)
			}
			return store.Version(seq), s.wrap(ctx, what, err)
		}
		if err != nil && !pause(ctx, n-2) {
			return 0, s.wrap(ctx, what, fmt.Errorf("%w: %w", ctx.Err(), err))
		}
		if st, err = s.load(ctx, id); err != nil {
			return 0, s.wrap(ctx, what, errors.Join(w.unknown, err))
		}
	}
}

// writing is one call that writes.
type writing struct {
	s       *Store
	id      string
	nonce   uint64
	decide  func(state) (*state, error)
	unknown error  // a swap was sent and not answered
	tried   uint64 // the sequence that it would have replaced
	doubt   bool   // a swap was answered, and the answer leaves open whether it took effect
	late    []lateAnswer
}

// lateAnswer is the answer to a swap that was sent over a connection. If the connection is lost, it
// never comes.
type lateAnswer struct {
	swapped    <-chan swapped
	reconnects uint64 // of the client before
}

// swapped is the answer to a swap.
type swapped struct {
	seq uint64
	err error
}

// try swaps the state. Again says that the caller shall read the state and try again.
func (w *writing) try(ctx context.Context, n int, st state, fresh bool) (seq uint64, again bool, err error) {
	if w.unknown != nil && st.live && st.nonce == w.nonce {
		return st.seq, false, nil // it has taken effect
	}
	want, err := w.decide(st)
	if w.unknown != nil && st.seq != w.tried && err != errNothing {
		// It may have taken effect, and then somebody else has written.
		if seq, err := w.await(); err != errRefused {
			return seq, false, err
		}
		w.unknown = nil
	}
	if err != nil {
		return 0, !fresh, cond(fresh, err)
	}
	want.nonce = w.nonce
	answer, reconnects := make(chan swapped, 1), w.s.conn.Stats().Reconnects
	go func() {
		seq, err := w.s.swap(ctx, st, want)
		answer <- swapped{seq, err}
	}()
	err = once(ctx, n, func(attempt context.Context) error {
		select {
		case a := <-answer:
			seq, w.doubt = a.seq, w.doubt || errors.Is(a.err, errUnknown)
			return a.err
		case <-attempt.Done():
			w.late = append(w.late, lateAnswer{answer, reconnects})
			return errUnknown
		}
	})
	switch {
	case err == nil:
		want.seq = seq
		w.s.known.put(w.id, *want)
		return seq, false, nil
	case errors.Is(err, errUnknown):
		w.unknown, w.tried = err, st.seq
		return 0, true, err
	case errors.Is(err, errUnsent):
		return 0, true, err
	case errors.Is(err, errRefused):
		if n == 0 {
			err = nil // no pause: the state was out of date
		}
		return 0, true, err
	}
	return 0, false, err
}

// await waits for the answers to the swaps that had none in time, as long as the call may last and they
// can come: a server that is only slow answers yet. It returns errRefused if none of the swaps has
// taken effect.
func (w *writing) await() (uint64, error) {
	var lost []lateAnswer
	for i, late := range w.late {
		a, ok := w.answer(late)
		switch {
		case !ok:
			lost = append(lost, late)
		case a.err == nil:
			w.late = append(lost, w.late[i+1:]...)
			return a.seq, nil
		}
		w.doubt = w.doubt || !ok || !errors.Is(a.err, errRefused) && !errors.Is(a.err, errUnsent)
	}
	w.late = lost
	if w.doubt {
		return 0, w.unknown
	}
	return 0, errRefused
}

// lostEvery is how often a call that waits for a late answer looks whether the connection was lost.
const lostEvery = 100 * time.Millisecond

// answer waits for a late answer. It returns false if the connection was lost.
func (w *writing) answer(late lateAnswer) (a swapped, ok bool) {
	look := time.NewTicker(lostEvery)
	defer look.Stop()
	for lost := false; ; {
		select {
		case a = <-late.swapped:
			return a, true
		case <-look.C:
			if lost {
				return a, false // what came before the loss has been handed out by now
			}
			lost = w.s.conn.Stats().Reconnects != late.reconnects
		}
	}
}

// cond returns the error if it counts.
func cond(counts bool, err error) error {
	if counts {
		return err
	}
	return nil
}

// swap replaces one state of a session by another, together with the entries of the owners' indexes.
func (s *Store) swap(ctx context.Context, old state, want *state) (uint64, error) {
	now := s.config.Now()
	var before []message // what has to be stored before the session, or with it
	formerEntry := ""
	if old.live && old.owner != "" && (!want.live || old.owner != want.owner) {
		formerEntry = s.entrySubject(old.owner, want.id)
	}
	record := marker(s.idSubject(want.id))
	want.lasts = outlast(now.UnixMilli(), old.lasts)
	if want.live {
		want.lasts = outlast(want.expires, old.lasts)
		if want.indexed = old.indexed; want.owner != "" && (!old.live || old.owner != want.owner || old.indexed < want.expires) {
			want.indexed = indexedUntil(want.expires, now)
			entry := state{id: want.id, expires: want.indexed}
			before = append(before, message{
				subject: s.entrySubject(want.owner, want.id),
				header:  nats.Header{ttlHeader: {ttl(want.indexed, now)}},
				data:    entry.encode(),
			})
		}
		record.header = nats.Header{}
		record.data = want.encode()
	}
	record.header.Set(ttlHeader, ttl(want.lasts, now))
	if s.single {
		return s.swapInTurn(ctx, old.seq, before, record, formerEntry)
	}
	if formerEntry != "" {
		before = append(before, marker(formerEntry))
	}
	return s.publish(ctx, old.seq, append(before, record)...)
}

// swapInTurn publishes one message after the other. A server that has a stream by itself takes some
// 50 ms for a batch, because it writes each into a file of its own. The entry comes before the session
// and is removed after it, so it may be there without the session, but not the other way round.
func (s *Store) swapInTurn(ctx context.Context, expected uint64, before []message, record message, formerEntry string) (uint64, error) {
	for _, m := range before {
		if _, err := s.request(ctx, m); err != nil {
			if errors.Is(err, errUnknown) {
				err = errUnsent // the session was not sent
			}
			return 0, err
		}
	}
	seq, err := s.publish(ctx, expected, record)
	if err == nil && formerEntry != "" {
		// If this fails, a later listing does it, or the entry expires.
		if st, err := s.peekSubject(ctx, formerEntry); err == nil {
			s.trim(ctx, formerEntry, st.seq, seq)
		}
	}
	return seq, err
}

// trim removes an entry of an index if nobody has written it since it was read. Its session was found
// with the sequence now, and does not belong to the owner. A writer that has stored the entry, and
// not yet the session, expects a sequence of the session that is older than the entry. So it does not succeed
// if now is newer than the entry. With batches there is no such writer.
func (s *Store) trim(ctx context.Context, subject string, entry, now uint64) {
	if entry == 0 || s.single && now < entry {
		return
	}
	_ = once(ctx, 0, func(ctx context.Context) error {
		_, err := s.publish(ctx, entry, marker(subject))
		return err
	})
}

// Ping implements [store.Pinger]. It writes a barrier, a message of a few bytes that replaces the
// last one, so it returns nil only if the majority of the servers takes writes.
func (s *Store) Ping(ctx context.Context) error {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.wrap(ctx, "ping", attempts(ctx, func(ctx context.Context) error {
		_, err := s.putBarrier(ctx, s.syncSubject)
		return err
	}))
}
