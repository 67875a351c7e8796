// Package nearby tests what a node reads through a near cache while another node writes: how old an
// answer is when the node's connection breaks, and how soon a change is read.
package nearby

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// Nodes are two nodes with the same sessions. Writer's connections are not disturbed. Near is in front of
// a store whose connections are.
type Nodes struct {
	Writer store.Store
	Near   *nearcache.Cache
}

// Fault is what happens to the reader's connections, or to its server.
type Fault struct {
	Begin func()
	End   func() // is called when the fault has lasted; nil: the fault ends by itself
}

// TestStaleness tests that during a fault no answer is older than [nearcache.DefaultMaxStale], and that
// everything works again by itself.
func TestStaleness(t *testing.T, nodes Nodes, fault Fault) {
	r := &reading{t: t, near: nodes.Near, truth: &counting{}}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() { r.truth.count(ctx, nodes.Writer) })
	defer writing.Wait()
	defer stop()
	eventually(t, "it is read from memory, and young", r.isYoungHit)
	AwaitHeartbeat(t, r.near)

	r.truth.pen.Lock()
	eventually(t, "the last number is in memory, and stays", func() bool {
		for range 20 {
			if hit, _ := r.read(); !hit {
				return false
			}
			<-time.After(time.Millisecond)
		}
		return true
	})
	began := time.Now()
	fault.Begin()
	r.truth.pen.Unlock()
	// For longer than anything that was read before may be answered.
	for until := began.Add(nearcache.DefaultMaxStale + time.Second); time.Now().Before(until); {
		r.read()
		<-time.After(time.Millisecond)
	}
	if fault.End != nil {
		fault.End()
		began = time.Now()
	}
	eventually(t, "it is again", r.isYoungHit)
	t.Logf("again after at most %v; the oldest answer was %v old", time.Since(began), r.oldest)
	r.oldest = 0
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		r.read()
	}
	t.Logf("then %v", r.oldest)
}

// counting is a session in which one node counts, whose connections are not disturbed,
// while another reads it through a cache.
type counting struct {
	pen sync.Mutex // held while it writes

	mu   sync.Mutex
	done []time.Time // when the server had acknowledged each number
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
			_, err = s.Create(try, store.Record{ID: "count", Data: fmt.Appendf(nil, "%d", n), Expires: time.Now().Add(time.Hour)})
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

// isYoungHit reports whether what was written lately is read from memory.
func (r *reading) isYoungHit() bool {
	oldest := r.oldest
	r.oldest = 0
	hit, ok := r.read()
	young := r.oldest < 50*time.Millisecond
	r.oldest = max(oldest, r.oldest)
	return hit && ok && young
}
