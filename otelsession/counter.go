package otelsession

import (
	"bytes"
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// firstCount is how long a collection waits for the first count, and rest how many times as
// long as a count takes nothing is counted after it.
const (
	firstCount = time.Second
	rest       = 20
)

// counter counts the live sessions of a store in the background.
type counter struct {
	t      *Telemetry
	lister store.Lister
	read   *document.Sealer
	every  time.Duration

	mu    sync.Mutex
	count counted
	known bool
	due   time.Time
	done  chan struct{} // of the count that is under way; nil: none is
}

// counted is what a count has found.
type counted struct {
	live         int64
	share        float64 // of those that are bound to a device
	shareIsKnown bool
}

// observe reports the last count.
func (c *counter) observe(ctx context.Context, to metric.Observer) error {
	c.mu.Lock()
	// CountBound may come after the first count.
	due := !time.Now().Before(c.due) || c.known && !c.count.shareIsKnown && c.t.isBound.Load() != nil
	if c.done == nil && due && c.t.ctx.Err() == nil {
		done := make(chan struct{})
		c.done = done
		c.t.work.Go(func() { c.run(done) })
	}
	done, known := c.done, c.known
	c.mu.Unlock()
	if !known && done != nil {
		wait := time.NewTimer(firstCount)
		defer wait.Stop()
		select {
		case <-done:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		to.ObserveInt64(c.t.live, c.count.live)
	}
	if c.known && c.count.shareIsKnown && c.t.options.BoundShare == nil {
		to.ObserveFloat64(c.t.bound, c.count.share)
	}
	return nil
}

func (c *counter) run(done chan struct{}) {
	began := time.Now()
	n, err := c.list()
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	// After a failure nothing is reported, because an old count looks like a new one.
	c.count, c.known = n, err == nil
	c.due = time.Now().Add(max(c.every-took, rest*took))
	c.done = nil
	close(done)
}

func (c *counter) list() (n counted, err error) {
	var sessions, bound int64
	is := c.t.isBound.Load()
	for rec, err := range c.lister.List(c.t.ctx, "") {
		if err != nil {
			return counted{}, err
		}
		if bytes.Equal(rec.Data, document.Tombstone) {
			continue
		}
		n.live++
		if is == nil {
			continue
		}
		// What leads from an old id to a session has no notes, and is none.
		if m := c.read.MetaOf(rec.ID, rec.Data); m.Successor == "" {
			sessions++
			if (*is)(notes{m.Notes}) {
				bound++
			}
		}
	}
	if n.shareIsKnown = is != nil; sessions > 0 {
		n.share = float64(bound) / float64(sessions)
	}
	return n, nil
}

// notes are those of a record.
type notes struct{ document.Notes }

func (n notes) Note(name string) string { return n.Get(name) }
