// Package telemetry exports what a server does: metrics for Prometheus on an address of its
// own, and spans and metrics over OTLP, where the standard environment variables of
// OpenTelemetry name a collector.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/nestsession/session"
	"github.com/nestsession/session/otelsession"
	"github.com/nestsession/session/store"
)

// closeTimeout limits the last export, if the collector does not answer.
const closeTimeout = 5 * time.Second

// Config says what is exported.
type Config struct {
	// Address is where /metrics is served: HOST:PORT. Default: nowhere.
	Address string

	// System is the attribute db.system.name of the store's calls. Default: what the type of
	// the store shows.
	System string

	// Trusts reports whether a request comes from a proxy whose trace it continues. Default: a
	// request begins a trace of its own.
	Trusts func(*http.Request) bool

	// Logger logs exports that fail.
	Logger *slog.Logger
}

// Telemetry exports until Close. The methods of a nil Telemetry do nothing.
type Telemetry struct {
	sessions *otelsession.Telemetry
	traces   *sdktrace.TracerProvider // nil: no spans
	meters   *metric.MeterProvider
	trusts   func(*http.Request) bool
	log      *slog.Logger
	pages    *http.Server // nil: no /metrics
	at       net.Addr
}

// asked reports whether the environment asks for the export of a signal: "TRACES" or
// "METRICS".
func asked(signal string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_"+signal+"_EXPORTER") == "none" {
		return false
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_" + signal + "_EXPORTER"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Start starts the exports. It returns nil if neither c nor the environment asks for any.
func Start(ctx context.Context, c Config) (_ *Telemetry, err error) {
	spans, metrics := asked("TRACES"), asked("METRICS")
	if c.Address == "" && !spans && !metrics {
		return nil, nil
	}
	t := &Telemetry{trusts: c.Trusts, log: c.Logger}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.lost))
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	// What the environment says comes last, and wins.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "nestsession")), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	options := []metric.Option{metric.WithResource(about)}
	registry := prometheus.NewRegistry()
	var durations *otelsession.Durations
	if c.Address != "" {
		pages := []exporter.Option{exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes)}
		if !metrics { // a collector may want exemplars and deltas, which Durations do not have
			durations = new(otelsession.Durations)
			pages = append(pages, exporter.WithProducer(durations))
		}
		reader, err := exporter.New(pages...)
		if err != nil {
			return nil, err
		}
		options = append(options, metric.WithReader(reader))
	}
	if metrics {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("exporting metrics over OTLP: %w", err)
		}
		options = append(options, metric.WithReader(reader))
	}
	t.meters = metric.NewMeterProvider(options...)
	o := otelsession.Options{MeterProvider: t.meters, TracerProvider: noop.NewTracerProvider(), System: c.System, Durations: durations}
	if spans {
		to, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("exporting spans over OTLP: %w", err)
		}
		t.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(to), sdktrace.WithResource(about))
		o.TracerProvider = t.traces
	}
	if t.sessions, err = otelsession.New(o); err != nil {
		return nil, err
	}
	if c.Address != "" {
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		if err := t.serve(ctx, c, registry); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// serve serves /metrics, and nothing else.
func (t *Telemetry) serve(ctx context.Context, c Config, registry *prometheus.Registry) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return fmt.Errorf("--metrics: cannot listen: %w: choose another address, such as 127.0.0.1:9464 (port 0 takes any that is free)", err)
	}
	t.at = ln.Addr()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4}))
	t.pages = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
	}
	go func() { _ = t.pages.Serve(ln) }() // it ends with Close
	return nil
}

// Addr is where /metrics is served; nil if it is not.
func (t *Telemetry) Addr() net.Addr {
	if t == nil {
		return nil
	}
	return t.at
}

// Instrument makes the sessions report; see [otelsession.Telemetry.Instrument].
func (t *Telemetry) Instrument(cfg session.Config) session.Config {
	if t == nil {
		return cfg
	}
	return t.sessions.Instrument(cfg)
}

// Store makes the store behind a near cache report; see [otelsession.Telemetry.Store].
func (t *Telemetry) Store(s store.Store) store.Store {
	if t == nil {
		return s
	}
	return t.sessions.Store(s)
}

// CountBound reports the share of the sessions that are bound to a device; see
// [otelsession.Telemetry.CountBound].
func (t *Telemetry) CountBound(bound func(s interface{ Note(name string) string }) bool) {
	if t != nil {
		t.sessions.CountBound(bound)
	}
}

// lost logs an export that failed.
func (t *Telemetry) lost(err error) {
	if err != nil {
		t.log.Warn("telemetry could not be exported", slog.Any("error", err))
	}
}

// Close exports what is left, and ends. Close the store after it.
func (t *Telemetry) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	if t.pages != nil {
		errs = append(errs, t.pages.Close())
	}
	// A collector that is down does not make the server end with a failure.
	if t.traces != nil {
		t.lost(t.traces.Shutdown(ctx))
	}
	if t.meters != nil {
		t.lost(t.meters.Shutdown(ctx))
	}
	if t.sessions != nil {
		errs = append(errs, t.sessions.Close())
	}
	return errors.Join(errs...)
}
