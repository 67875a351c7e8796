package otelsession_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/otelsession"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

type Account struct {
	Visits int `json:"visits"`
}

// A program with a near cache: the shared store is put behind the cache through Store, and
// Instrument does the rest. The exporters of this example keep what they get; those of a
// program send it to a collector.
func Example() {
	spans, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	telemetry, err := otelsession.New(otelsession.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer telemetry.Close()
	shared := memstore.New(memstore.Config{}) // in an application Redis or PostgreSQL
	defer shared.Close()
	near, err := nearcache.New(telemetry.Store(shared), nearcache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()
	sessions, err := session.New[Account](telemetry.Instrument(session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Store:   near,
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	handler := telemetry.CountStreams(sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Visits++ })
	}))
	// Other middleware, such as otelhttp, begins the request's span.
	ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("example").Start(context.Background(), "GET /")
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "https://example.com/", nil))
	span.End()

	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name)
	}
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &metrics); err != nil {
		log.Fatal(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if m.Name == "nestsession.live" {
			fmt.Println(m.Name, m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
		}
	}
	// Output:
	// store.create
	// session.save
	// GET /
	// nestsession.live 1
}

// serve is a program that has set up the SDK of OpenTelemetry.
func serve(secrets []string, kept store.Store) error {
	telemetry, err := otelsession.New(otelsession.Options{}) // reports to otel.GetTracerProvider and otel.GetMeterProvider
	if err != nil {
		return err
	}
	defer telemetry.Close()
	sessions, err := session.New[Account](telemetry.Instrument(session.Config{Secrets: secrets, Store: kept}))
	if err != nil {
		return err
	}
	defer sessions.Close()
	return sessions.Ping(context.Background()) // a program serves here
}

// The share of sessions that are bound to a device is in nestsession.bound, and what happens to
// their keys is counted as all events are.
func ExampleTelemetry_CountBound() {
	telemetry, err := otelsession.New(otelsession.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer telemetry.Close()
	cfg := telemetry.Instrument(session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	sessions, err := session.New[Account](cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	binding, err := devicebound.New(sessions, devicebound.Config{
		OnEvent: func(ctx context.Context, e devicebound.Event) { cfg.OnEvent(ctx, e.SessionEvent()) },
	})
	if err != nil {
		log.Fatal(err)
	}
	telemetry.CountBound(binding.IsBound)
}

// A program whose store is in memory saves CPU: Durations add up what the SDK's histogram would. Each
// reader of the MeterProvider needs them.
func ExampleDurations() {
	durations := new(otelsession.Durations)
	reader := metric.NewManualReader(metric.WithProducer(durations)) // in an application one with an exporter
	telemetry, err := otelsession.New(otelsession.Options{
		MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
		Durations:     durations,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer telemetry.Close()
	kept := telemetry.Instrument(session.Config{}).Store
	_, _ = kept.Load(context.Background(), "none")

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		log.Fatal(err)
	}
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "db.client.operation.duration" {
				fmt.Println(m.Name, m.Data.(metricdata.Histogram[float64]).DataPoints[0].Count)
			}
		}
	}
	// Output: db.client.operation.duration 1
}

// Five lines switch telemetry on. Without an SDK they report nothing.
func ExampleTelemetry_Instrument() {
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	fmt.Println(serve([]string{"a secret of 16 bytes or more"}, kept))
	// Output: <nil>
}
