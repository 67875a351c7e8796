package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// Without a flag and a variable nothing is wrapped and nothing listens.
func TestOffCostsNothing(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	tel, err := Start(t.Context(), Config{Logger: slog.New(slog.DiscardHandler)})
	if tel != nil || err != nil {
		t.Fatalf("started %v, %v", tel, err)
	}
	kept := memstore.New(memstore.Config{})
	defer kept.Close()
	cfg := tel.Instrument(session.Config{Store: kept})
	next := http.NewServeMux()
	if cfg.Store != kept || cfg.OnEvent != nil || tel.Store(kept) != kept || tel.Handler(next) != http.Handler(next) || tel.Addr() != nil {
		t.Error("something is wrapped")
	}
	if err := tel.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatTheEnvironmentAsksFor(t *testing.T) {
	for name, c := range map[string]struct {
		env             map[string]string
		traces, metrics bool
	}{
		"nothing":        {nil, false, false},
		"both":           {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, true, true},
		"traces":         {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318"}, true, false},
		"metrics":        {map[string]string{"OTEL_METRICS_EXPORTER": "console"}, false, true},
		"both but one":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}, false, true},
		"it is disabled": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "true"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.env {
				t.Setenv(key, value)
			}
			if traces, metrics := asked("TRACES"), asked("METRICS"); traces != c.traces || metrics != c.metrics {
				t.Errorf("traces %v, metrics %v", traces, metrics)
			}
		})
	}
}

// The application continues the trace of the request. Only a proxy that is trusted begins it.
// The span has the method and the status, and nothing that the client chose.
func TestTheTraceOfARequest(t *testing.T) {
	var mu sync.Mutex
	var sent bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&sent, r.Body)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
	tel, err := Start(t.Context(), Config{Logger: slog.New(slog.DiscardHandler), Trusts: func(r *http.Request) bool { return r.RemoteAddr == "proxy" }})
	if err != nil {
		t.Fatal(err)
	}
	const parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	passed := func(from string) (traceparent, tracestate string) {
		r := httptest.NewRequest("BREW", "/reset/a-link-that-is-a-secret?token=another-secret", nil)
		r.RemoteAddr = from
		r.Header.Set("Traceparent", parent)
		r.Header.Set("Tracestate", "of=client")
		w := httptest.NewRecorder()
		tel.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			traceparent, tracestate = r.Header.Get("Traceparent"), r.Header.Get("Tracestate")
			w.WriteHeader(http.StatusTeapot)
		})).ServeHTTP(w, r)
		if w.Code != http.StatusTeapot {
			t.Errorf("answered %d", w.Code)
		}
		return traceparent, tracestate
	}
	if got, state := passed("proxy"); !strings.HasPrefix(got, parent[:35]) || got == parent || state != "of=client" {
		t.Errorf("behind a trusted proxy the application gets %q, %q", got, state)
	}
	if got, state := passed("client"); got == "" || strings.HasPrefix(got, parent[:35]) || state != "" {
		t.Errorf("a client chose the trace: %q, %q", got, state)
	}
	if err := tel.Close(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := sent.String(); !strings.Contains(text, "_OTHER") || strings.Contains(text, "secret") || strings.Contains(text, "BREW") {
		t.Errorf("exported: %q", text)
	}
}

// A collector that cannot be reached delays nobody.
func TestACollectorThatIsDown(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	tel, err := Start(context.Background(), Config{Logger: slog.New(slog.DiscardHandler), Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	tel.Handler(http.NewServeMux()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("answered %d", w.Code)
	}
	answer, err := http.Get("http://" + tel.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); !bytes.Contains(text, []byte("nestsession_loads_total")) {
		t.Errorf("/metrics: %s", text)
	}
	if err := tel.Close(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
}

// The page has the durations of the store's calls once, whether a collector gets metrics, too, or not.
func TestThePageHasDurations(t *testing.T) {
	for name, endpoint := range map[string]string{"a page": "", "a page and a collector": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint)
			tel, err := Start(t.Context(), Config{Logger: slog.New(slog.DiscardHandler), Address: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer tel.Close()
			kept := memstore.New(memstore.Config{})
			defer kept.Close()
			_, _ = tel.Instrument(session.Config{Store: kept}).Store.Load(t.Context(), "none")
			for range 2 { // a second collection adds nothing
				answer, err := http.Get("http://" + tel.Addr().String() + "/metrics")
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range []string{
					"# TYPE db_client_operation_duration_seconds histogram\n",
					`db_client_operation_duration_seconds_bucket{db_operation_name="load",db_system_name="memory",le="10"} 1` + "\n",
					`db_client_operation_duration_seconds_count{db_operation_name="load",db_system_name="memory"} 1` + "\n",
				} {
					if n := bytes.Count(text, []byte(line)); n != 1 {
						t.Errorf("%q is on the page %d times:\n%s", line, n, text)
					}
				}
			}
		})
	}
}
