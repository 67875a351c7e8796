package otelsession_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/nestsession/session"
	"github.com/nestsession/session/otelsession"
	"github.com/nestsession/session/store"
)

// slow is a store whose calls take as long as it says.
type slow struct {
	store.Store
	takes time.Duration
	err   error
}

func (s *slow) Load(context.Context, string) (store.Record, error) {
	<-time.After(s.takes)
	return store.Record{}, s.err
}

func (s *slow) Delete(context.Context, string) error {
	<-time.After(s.takes)
	return s.err
}

// Durations reports the same of the same calls as the SDK's histogram.
func TestDurationsAreThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		collect := func(durations *otelsession.Durations) (collected []metricdata.ScopeMetrics) {
			var options []metric.ManualReaderOption
			if durations != nil {
				options = append(options, metric.WithProducer(durations))
			}
			reader := metric.NewManualReader(options...)
			telemetry, err := otelsession.New(otelsession.Options{
				TracerProvider: noop.NewTracerProvider(), MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Durations: durations, System: "redis",
			})
			if err != nil {
				t.Fatal(err)
			}
			defer telemetry.Close()
			report := func() {
				var all metricdata.ResourceMetrics
				if err := reader.Collect(t.Context(), &all); err != nil {
					t.Fatal(err)
				}
				for _, scope := range all.ScopeMetrics {
					scope.Metrics = slices.DeleteFunc(scope.Metrics, func(m metricdata.Metrics) bool { return m.Name != "db.client.operation.duration" })
					if len(scope.Metrics) == 0 {
						continue
					}
					for i, p := range scope.Metrics[0].Data.(metricdata.Histogram[float64]).DataPoints {
						scope.Metrics[0].Data.(metricdata.Histogram[float64]).DataPoints[i].Sum = math.Round(p.Sum*1e9) / 1e9 // the order of the additions differs
					}
					collected = append(collected, scope)
				}
			}
			report()
			s := &slow{Store: struct{ store.Store }{}}
			// Two stores of the same system share the points.
			for _, reporting := range []store.Store{telemetry.Instrument(session.Config{Store: s}).Store, telemetry.Store(s)} {
				for _, s.err = range []error{nil, store.ErrNotFound, errors.New("down"), context.DeadlineExceeded} {
					// On both sides of a bound of the buckets, and on it.
					for _, s.takes = range []time.Duration{0, time.Microsecond, time.Millisecond, time.Millisecond + 1, 30 * time.Millisecond, 5*time.Second - 1, 10 * time.Second, time.Hour} {
						for range 20 {
							_, _ = reporting.Load(t.Context(), "id")
						}
						_ = reporting.Delete(t.Context(), "id")
					}
					report()
				}
			}
			return collected
		}
		want, got := collect(nil), collect(new(otelsession.Durations))
		if len(want) == 0 || len(got) != len(want) {
			t.Fatalf("the metric is collected %d times, want %d", len(got), len(want))
		}
		for i := range want {
			metricdatatest.AssertEqual(t, want[i], got[i], metricdatatest.IgnoreTimestamp())
		}
	})
}

// A point begins before the first call that it counts, and ends when it is collected.
func TestDurationsHaveTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, durations := time.Now(), new(otelsession.Durations)
		reader := metric.NewManualReader(metric.WithProducer(durations))
		telemetry, err := otelsession.New(otelsession.Options{
			TracerProvider: sdktrace.NewTracerProvider(), MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Durations: durations,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer telemetry.Close()
		kept := telemetry.Instrument(session.Config{Store: &slow{takes: time.Second}}).Store
		for range 2 {
			_, _ = kept.Load(t.Context(), "id")
			all, err := durations.Produce(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(all) != 0 {
				t.Error("a duration is reported before metrics are collected")
			}
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		points := all.ScopeMetrics[len(all.ScopeMetrics)-1].Metrics[0].Data.(metricdata.Histogram[float64]).DataPoints
		if len(points) != 1 || points[0].Count != 2 || !points[0].StartTime.Equal(began) || !points[0].Time.Equal(began.Add(2*time.Second)) {
			t.Errorf("the points are %+v, want one of two calls, of the time since %v", points, began)
		}
		// What a reader keeps does not change.
		before := slices.Clone(points[0].BucketCounts)
		_, _ = kept.Load(t.Context(), "id")
		if err := reader.Collect(t.Context(), new(metricdata.ResourceMetrics)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before, points[0].BucketCounts) {
			t.Error("a point changes after it was collected")
		}
	})
}
