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
	every  time.Duration

	mu    sync.Mutex
	count int64
	known bool
	due   time.Time
	done  chan struct{} // of the count that is under way; nil: none is
}

// observe reports the last count.
func (c *counter) observe(ctx context.Context, to metric.Observer) error {
	c.mu.Lock()
	if c.done == nil && !time.Now().Before(c.due) && c.t.ctx.Err() == nil {
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
		to.ObserveInt64(c.t.live, c.count)
	}
	return nil
}

func (c *counter) run(done chan struct{}) {
	began := time.Now()
	n, err := c.read()
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	// After a failure nothing is reported, because an old count looks like a new one.
	c.count, c.known = n, err == nil
	c.due = time.Now().Add(max(c.every-took, rest*took))
	c.done = nil
	close(done)
}

func (c *counter) read() (n int64, err error) {
	for rec, err := range c.lister.List(c.t.ctx, "") {
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(rec.Data, document.Tombstone) {
			n++
		}
	}
	return n, nil
}
