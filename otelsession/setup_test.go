package otelsession_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/otelsession"
)

type account struct {
	User  string `json:"user,omitempty"`
	Count int    `json:"count,omitempty"`
}

const secret = "the secret of these tests"

// rig is telemetry that a test reads.
type rig struct {
	*testing.T
	telemetry *otelsession.Telemetry
	spans     *tracetest.InMemoryExporter
	traces    *sdktrace.TracerProvider
	reader    *metric.ManualReader
}

func setup(t *testing.T, sampler sdktrace.Sampler, o otelsession.Options) *rig {
	t.Helper()
	g := &rig{T: t, spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	g.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(g.spans), sdktrace.WithSampler(sampler))
	o.TracerProvider = g.traces
	o.MeterProvider = metric.NewMeterProvider(metric.WithReader(g.reader))
	var err error
	if g.telemetry, err = otelsession.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.telemetry.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// manager returns a manager that reports, for plain HTTP.
func (g *rig) manager(cfg session.Config) *session.Manager[account] {
	g.Helper()
	cfg.Secrets = []string{secret}
	cfg.Cookie = session.Cookie{Secure: session.SecureAuto}
	m, err := session.New[account](g.telemetry.Instrument(cfg))
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { m.Close() })
	return m
}

// visit serves a request that has a span. It returns the session's cookie afterwards.
func (g *rig) visit(m *session.Manager[account], cookie string, do func(context.Context, *session.Session[account])) string {
	g.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	ctx, span := g.traces.Tracer("test").Start(r.Context(), "request")
	defer span.End()
	w := httptest.NewRecorder()
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { do(r.Context(), s) })(w, r.WithContext(ctx))
	if w.Code >= 500 {
		g.Errorf("a request was answered %d", w.Code)
	}
	for _, c := range w.Result().Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return cookie
}

func count(_ context.Context, s *session.Session[account]) { s.Update(func(a *account) { a.Count++ }) }
func look(context.Context, *session.Session[account])      {}

// collect returns the metrics by name.
func (g *rig) collect() map[string]metricdata.Aggregation {
	g.Helper()
	var all metricdata.ResourceMetrics
	if err := g.reader.Collect(g.Context(), &all); err != nil {
		g.Fatal(err)
	}
	found := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m.Data
		}
	}
	return found
}

// value returns the sum of the points that have all the attributes, as "key=value". ok is
// false if there is none.
func value(a metricdata.Aggregation, with ...string) (sum float64, ok bool) {
	add := func(set attribute.Set, v float64) {
		for _, want := range with {
			key, text, _ := strings.Cut(want, "=")
			if got, has := set.Value(attribute.Key(key)); !has || got.String() != text {
				return
			}
		}
		sum, ok = sum+v, true
	}
	switch a := a.(type) {
	case metricdata.Sum[int64]:
		for _, p := range a.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[int64]:
		for _, p := range a.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[float64]:
		for _, p := range a.DataPoints {
			add(p.Attributes, p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range a.DataPoints {
			add(p.Attributes, float64(p.Count))
		}
	}
	return sum, ok
}

func (g *rig) want(name string, n float64, with ...string) {
	g.Helper()
	if got, ok := value(g.collect()[name], with...); !ok || got != n {
		g.Errorf("%s%v is %v (present: %v), want %v", name, with, got, ok, n)
	}
}

// exported returns all that left the process, as text.
func (g *rig) exported() string {
	g.Helper()
	var all metricdata.ResourceMetrics
	if err := g.reader.Collect(g.Context(), &all); err != nil {
		g.Fatal(err)
	}
	var text strings.Builder
	for _, v := range []any{all, g.spans.GetSpans()} {
		b, err := json.Marshal(v)
		if err != nil {
			g.Fatal(err)
		}
		text.Write(b)
	}
	return text.String()
}

// named returns the spans of that name, without those of other names.
func (g *rig) named(name string) tracetest.SpanStubs {
	return slices.DeleteFunc(g.spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.Name != name })
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}
