package otelsession

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// batchSize is how many durations are recorded at once. In the middle of a request the
// SDK's code and data are not in the processor's caches, and a measurement costs several times
// what it costs directly after another.
const batchSize = 256

// batch keeps calls until they are counted and their durations are recorded: when there are enough
// of them, and before metrics are collected.
type batch struct {
	began time.Time // durations are measured from it, because that costs half of what time.Now does
	mu    sync.Mutex
	n     int
	kept  *[batchSize]duration
	spare *[batchSize]duration // nil while it is recorded
}

type duration struct {
	took time.Duration
	of   *series
}

// series is what calls with the same attributes have in common.
type series struct {
	options   [1]metric.RecordOption
	tally     *atomic.Int64 // the loads or saves of sessions; nil: they are counted in front of a near cache
	histogram *histogram    // of Options.Durations; nil: the MeterProvider has one
}

// report counts a call and records its duration.
func (t *Telemetry) report(ctx context.Context, d duration) {
	if d.of.tally != nil {
		d.of.tally.Add(1)
	}
	if h := d.of.histogram; h != nil {
		h.add(d.took.Seconds())
		return
	}
	t.duration.Record(ctx, d.took.Seconds(), d.of.options[:]...)
}

func (t *Telemetry) keep(d duration) {
	b := &t.batch
	b.mu.Lock()
	if b.kept == nil {
		b.kept = new([batchSize]duration)
	}
	b.kept[b.n] = d
	if b.n++; b.n < batchSize {
		b.mu.Unlock()
		return
	}
	t.record()
}

// flush records what there is.
func (t *Telemetry) flush() {
	t.batch.mu.Lock()
	t.record()
}

// record records the batch. It unlocks it before, so that requests need not wait.
func (t *Telemetry) record() {
	b := &t.batch
	full, n := b.kept, b.n
	b.kept, b.spare, b.n = b.spare, nil, 0
	b.mu.Unlock()
	if full == nil {
		return
	}
	for _, d := range full[:n] {
		t.report(context.Background(), d)
	}
	b.mu.Lock()
	b.spare = full
	b.mu.Unlock()
}
