package otelsession

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// The metric of the durations. OpenTelemetry says its name, its unit and its buckets.
const (
	durationName  = "db.client.operation.duration"
	durationUnit  = "s"
	durationAbout = "Duration of the calls of the store."
)

var durationBounds = [...]float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}

// Durations adds up db.client.operation.duration itself, which takes a fraction of the CPU that
// the SDK's histogram takes. It is a Producer of OpenTelemetry's SDK: give it to each reader of
// the MeterProvider, and to [Options.Durations]. The zero value is ready for use, and its
// method is safe for concurrent use.
//
// The metric is the same, with three differences: a View does not change it, it has no
// exemplars, and it is cumulative even if the reader prefers deltas.
type Durations struct {
	mu  sync.Mutex
	all map[attribute.Distinct]*histogram
}

// histogram has the durations of the calls with the same attributes.
type histogram struct {
	of    attribute.Set
	began time.Time

	mu            sync.Mutex
	counts        [len(durationBounds) + 1]uint64
	n             uint64
	sum, min, max float64 // seconds
}

// histogram returns the one of these attributes. Several managers share it, as they would share
// an instrument.
func (d *Durations) histogram(of attribute.Set) *histogram {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.all[of.Equivalent()]
	if h == nil {
		h = &histogram{of: of, began: time.Now()}
		if d.all == nil {
			d.all = map[attribute.Distinct]*histogram{}
		}
		d.all[of.Equivalent()] = h
	}
	return h
}

func (h *histogram) add(seconds float64) {
	bucket := 0
	for bucket < len(durationBounds) && seconds > durationBounds[bucket] {
		bucket++
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.min, h.max = seconds, seconds
	}
	h.counts[bucket]++
	h.n++
	h.sum += seconds
	h.min, h.max = min(h.min, seconds), max(h.max, seconds)
}

// Produce returns the metric, for the SDK's readers. The error is always nil.
func (d *Durations) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	data := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	for _, h := range d.all {
		if p, ok := h.point(); ok {
			data.DataPoints = append(data.DataPoints, p)
		}
	}
	if len(data.DataPoints) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{{
		Scope:   instrumentation.Scope{Name: scope},
		Metrics: []metricdata.Metrics{{Name: durationName, Description: durationAbout, Unit: durationUnit, Data: data}},
	}}, nil
}

// point is what the SDK would report; not ok if there were no such calls.
func (h *histogram) point() (p metricdata.HistogramDataPoint[float64], ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts, bounds := h.counts, durationBounds // exporters may keep them
	return metricdata.HistogramDataPoint[float64]{
		Attributes: h.of, StartTime: h.began, Time: time.Now(), Count: h.n, Sum: h.sum, Bounds: bounds[:], BucketCounts: counts[:],
		Min: metricdata.NewExtrema(h.min), Max: metricdata.NewExtrema(h.max),
	}, h.n > 0
}
