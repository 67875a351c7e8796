package otelsession

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"
)

// batchSize is how many durations are recorded at once. In the middle of a request the
// SDK's code and data are not in the processor's caches, and a measurement costs several times
// what it costs directly after another.
const batchSize = 64

// batch keeps durations until they are recorded: when there are enough of them, and before
// metrics are collected.
type batch struct {
	mu   sync.Mutex
	n    int
	kept [batchSize]duration
}

type duration struct {
	seconds float64
	options []metric.RecordOption
}

func (t *Telemetry) keep(d duration) {
	t.batch.mu.Lock()
	t.batch.kept[t.batch.n] = d
	t.batch.n++
	if t.batch.n < batchSize {
		t.batch.mu.Unlock()
		return
	}
	t.record()
}

// flush records what there is.
func (t *Telemetry) flush() {
	t.batch.mu.Lock()
	t.record()
}

// record records the batch, and unlocks it.
func (t *Telemetry) record() {
	kept, n := t.batch.kept, t.batch.n
	t.batch.n = 0
	t.batch.mu.Unlock()
	for _, d := range kept[:n] {
		t.duration.Record(context.Background(), d.seconds, d.options...)
	}
}
