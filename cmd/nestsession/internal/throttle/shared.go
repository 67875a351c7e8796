package throttle

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/store"
)

// ErrUnavailable means that the database of the counts did not answer as it should. An attempt that
// cannot be counted is refused.
var ErrUnavailable = errors.New("throttle: the database of the counts is unavailable")

// Shared keeps counts where several servers count together, and a restart forgets nothing: in the
// database of the users, whose table nest_throttle package users makes, or in a bucket of NATS
// JetStream.
//
// A row is the bucket of a [Limiter], without its sketch: the instant when it will be empty. An
// attempt takes its place in the bucket when it begins, and gives it back at the end if it was not
// wrong. So the places of a server that is killed count as wrong attempts, and become free as those
// do. under_way is how many of the places belong to attempts in progress: another attempt waits for
// them, and is refused at once if the others alone fill the bucket. All instants are in
// microseconds since 1970, of the database's clock; in a bucket, of the servers' own clocks.
//
// A key is an HMAC, so that the rows show neither addresses nor what was typed as a name.
type Shared struct {
	rows   rows
	macs   [][]byte // keys of the HMAC, one for each secret
	ending context.CancelFunc
	ended  sync.WaitGroup
}

// rows is where the counts are. All durations are in microseconds.
type rows interface {
	// take takes a place if empty is at most slack from now, after which it is every later. If there is
	// no place, it returns what the row has.
	take(ctx context.Context, key []byte, every, lease, slack int64) (taken bool, now, empty, underWay int64, err error)

	// wrong and giveBack end an attempt.
	wrong(ctx context.Context, key []byte) error
	giveBack(ctx context.Context, key []byte, every int64) error

	put(ctx context.Context, key []byte, keep int64) error
	has(ctx context.Context, key []byte) (bool, error)

	// sweep removes rows that count nothing any more, and reports whether there may be more.
	sweep(ctx context.Context) (more bool, err error)
}

const (
	// lease is how long an attempt in progress is waited for: longer than attempts last.
	lease = 30 * time.Second

	// waitTime is how long an attempt waits for those in progress on other servers, and standstill
	// how long while none of them ends: their server may have been killed.
	waitTime   = 20 * time.Second
	standstill = 5 * time.Second

	// settleTime is how long the database may take for the beginning or the end of an attempt.
	settleTime = 5 * time.Second

	// sweepInterval is how often rows are removed that have been empty for an hour, which is longer
	// than any attempt lasts: its place is never given back to the row of others.
	sweepInterval = time.Minute
)

// NewShared uses the table nest_throttle in the database, which package users makes, with keys
// derived from the secrets of the sessions. Close it before the database.
func NewShared(db *sql.DB, kind storeurl.Kind, secrets []string) (*Shared, error) {
	statements, known := shared[kind]
	if !known {
		return nil, fmt.Errorf("throttle: no counts in %s", kind)
	}
	return newShared(&table{db, statements}, secrets)
}

// NewSharedBucket is [NewShared] for a store whose reads are never out of date, and that removes
// expired records by itself.
func NewSharedBucket(kept store.Store, secrets []string) (*Shared, error) {
	return newShared(newBucket(kept), secrets)
}

func newShared(in rows, secrets []string) (*Shared, error) {
	if len(secrets) == 0 {
		return nil, errors.New("throttle: no secret for the keys of the counts")
	}
	s := &Shared{rows: in}
	for _, secret := range secrets {
		mac, err := hkdf.Key(sha256.New, []byte(secret), nil, "nestsession throttle", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("throttle: %w", err)
		}
		s.macs = append(s.macs, mac)
	}
	var ctx context.Context
	ctx, s.ending = context.WithCancel(context.Background())
	s.ended.Go(func() {
		tick := time.NewTicker(sweepInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.Sweep(ctx)
			}
		}
	})
	return s, nil
}

// Close ends the sweeps.
func (s *Shared) Close() error {
	s.ending()
	s.ended.Wait()
	return nil
}

// Sweep removes rows that count nothing any more, in small steps. It is called once a minute.
func (s *Shared) Sweep(ctx context.Context) {
	for {
		// An error means that the next sweep does it.
		if more, err := s.rows.sweep(ctx); err != nil || !more {
			return
		}
	}
}

// key returns the key of a row. Counts are under the last secret: when a new one is put in front of
// the others, server by server, all go on counting together.
func (s *Shared) key(limiter, key string) []byte {
	return row(s.macs[len(s.macs)-1], limiter, key)
}

func row(mac []byte, limiter, key string) []byte {
	h := hmac.New(sha256.New, mac)
	h.Write([]byte(limiter))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return h.Sum(nil)
}

// take takes a place in a bucket. It waits while the outcome of attempts elsewhere decides whether
// there is one.
func (s *Shared) take(ctx context.Context, limiter, key string, rate Rate) error {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	id := s.key(limiter, key)
	every := rate.Every.Microseconds()
	burst := int64(rate.Burst) * every
	var before [2]int64
	var since time.Time
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		// A canceled statement may have taken a place that nobody gives back.
		whole, done := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		taken, now, emptyAt, underWay, err := s.rows.take(whole, id, every, lease.Microseconds(), burst-2*every)
		done()
		if err != nil {
			return s.failed(ctx, err)
		}
		if taken {
			return nil
		}
		// Without the attempts in progress.
		if after := max(emptyAt-underWay*every, now) + every - burst - now; after > 0 {
			return &TooMany{After: time.Duration(after) * time.Microsecond}
		}
		switch state := [2]int64{emptyAt, underWay}; {
		case state != before:
			before, since = state, time.Now()
		case time.Since(since) > standstill:
			return fmt.Errorf("%w on other servers", ErrBusy)
		}
		select {
		case <-ctx.Done():
			return s.failed(ctx, ctx.Err())
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// settle ends an attempt. If that fails it counts as wrong.
func (s *Shared) settle(limiter, key string, rate Rate, wrong bool) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	id := s.key(limiter, key)
	if wrong {
		_ = s.rows.wrong(ctx, id)
		return
	}
	_ = s.rows.giveBack(ctx, id, rate.Every.Microseconds())
}

// put remembers a key for a while. If that fails it is not known, which only makes guesses at the
// name count there.
func (s *Shared) put(key string, keep time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	_ = s.rows.put(ctx, row(s.macs[0], "known", key), keep.Microseconds())
}

// has reports whether a key was put under any of the secrets.
func (s *Shared) has(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for _, mac := range s.macs {
		known, err := s.rows.has(ctx, row(mac, "known", key))
		if err != nil {
			return false, s.failed(ctx, err)
		}
		if known {
			return true, nil
		}
	}
	return false, nil
}

// failed tells attempts that have waited too long from a database that does not answer.
func (s *Shared) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
