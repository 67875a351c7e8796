package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/tests/internal/natsserver"
	"github.com/nestsession/session/tests/internal/relay"
)

// counting is a session in which one node counts, whose connections are not disturbed,
// while another reads it through a cache.
type counting struct {
	pen sync.Mutex // held while it writes

	mu   sync.Mutex
	done []time.Time // when the servers had acknowledged each number
}

// atLeast is the number that had been acknowledged by then.
func (c *counting) atLeast(then time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.done)
	for n > 0 && c.done[n-1].After(then) {
		n--
	}
	return n - 1
}

// count counts until ctx ends.
func (c *counting) count(ctx context.Context, s store.Store) {
	for n := 0; ctx.Err() == nil; {
		c.pen.Lock()
		try, cancel := context.WithTimeout(ctx, time.Second)
		r, err := s.Load(try, "count")
		if errors.Is(err, store.ErrNotFound) {
			_, err = s.Create(try, store.Record{ID: "count", Data: fmt.Appendf(nil, "%d", n), Expires: in(time.Hour)})
		} else if err == nil {
			r.Data = fmt.Appendf(nil, "%d", n)
			_, err = s.Update(try, r)
		}
		cancel()
		c.pen.Unlock()
		if err != nil {
			continue // the next try writes the same number
		}
		n++
		c.mu.Lock()
		c.done = append(c.done, time.Now())
		c.mu.Unlock()
		<-time.After(2 * time.Millisecond)
	}
}

// reading reads the number through the cache and keeps the age of the oldest answer.
type reading struct {
	t      *testing.T
	near   *nearcache.Cache
	truth  *counting
	oldest time.Duration
}

// read is one answer, and whether it came from memory.
func (r *reading) read() (hit, ok bool) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 200*time.Millisecond)
	defer cancel()
	hits, asked := r.near.Stats().Hits, time.Now()
	rec, err := r.near.Load(ctx, "count")
	if err != nil {
		return false, false
	}
	var n int
	if _, err := fmt.Sscan(string(rec.Data), &n); err != nil {
		r.t.Errorf("Load: %q", rec.Data)
		return false, false
	}
	if want := r.truth.atLeast(asked.Add(-nearcache.DefaultMaxStale)); n < want {
		r.t.Errorf("read %d, though %d had been written more than %v before", n, want, nearcache.DefaultMaxStale)
	}
	r.truth.mu.Lock()
	if n+1 < len(r.truth.done) {
		r.oldest = max(r.oldest, asked.Sub(r.truth.done[n+1]))
	}
	r.truth.mu.Unlock()
	return r.near.Stats().Hits > hits, true
}

// isHit reports whether the number is read from memory.
func (r *reading) isHit() bool {
	hit, ok := r.read()
	return hit && ok
}

// The connection of a node breaks, or its server, while another node writes. No answer is older than
// MaxStale, and everything works again by itself.
func TestStaleness(t *testing.T) {
	t.Parallel()
	type site struct {
		all []*servers.NATS
		gap *relay.Relay // in front of the first server
	}
	for name, fault := range map[string]struct {
		begin func(s site)
		mend  func(s site) // after the fault has lasted
	}{
		"cut":                {func(s site) { s.gap.Cut() }, nil},
		"half-open":          {func(s site) { s.gap.Silence(false) }, nil},
		"half-open for long": {func(s site) { s.gap.Silence(true) }, func(s site) { s.gap.Heal() }},
		"frozen":             {func(s site) { s.all[0].Freeze() }, func(s site) { s.all[0].Thaw() }},
		"killed":             {func(s site) { s.all[0].Kill() }, func(s site) { s.all[0].Restart() }},
		"majority frozen": {func(s site) { s.all[1].Freeze(); s.all[2].Freeze() },
			func(s site) { s.all[1].Thaw(); s.all[2].Thaw() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := natsserver.Start(t, 3, servers.NATSOptions{})
			s := site{all, relay.New(t, all[0].Addr())}
			conn, err := nats.Connect(all[0].URLAt(s.gap.Addr()), append(natsstore.Options(), nats.IgnoreDiscoveredServers())...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			writer := newStore(t, natsstore.Config{Conn: dial(t, all[1], all[2])})
			near, err := nearcache.New(newStore(t, natsstore.Config{Conn: conn, Timeout: natsstore.DefaultTimeout}), nearcache.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { near.Close() })
			r := &reading{t: t, near: near, truth: &counting{}}
			ctx, stop := context.WithCancel(t.Context())
			var writing sync.WaitGroup
			writing.Go(func() { r.truth.count(ctx, writer) })
			defer writing.Wait()
			defer stop()
			eventually(t, "it is read from memory", r.isHit)

			r.truth.pen.Lock()
			eventually(t, "the last number is in memory, and stays", func() bool {
				for range 20 {
					if !r.isHit() {
						return false
					}
					<-time.After(time.Millisecond)
				}
				return true
			})
			began := time.Now()
			fault.begin(s)
			r.truth.pen.Unlock()
			// For longer than anything that was read before may be answered.
			for until := began.Add(nearcache.DefaultMaxStale + time.Second); time.Now().Before(until); {
				r.read()
				<-time.After(time.Millisecond)
			}
			if fault.mend != nil {
				fault.mend(s)
				began = time.Now()
			}
			eventually(t, "it is read from memory again", r.isHit)
			t.Logf("again after at most %v; the oldest answer was %v old", time.Since(began), r.oldest)
			for until := time.Now().Add(time.Second); time.Now().Before(until); {
				r.read()
			}
		})
	}
}
