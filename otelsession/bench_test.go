package otelsession_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/nestsession/session"
	"github.com/nestsession/session/otelsession"
)

// BenchmarkCPUARequest measures the CPU of a request without telemetry and with it, in turns
// within one run. It reports the difference of the lower quartiles, since what else the machine does
// only adds. The
// client is as cheap as a client can be, because its CPU is counted, too: it writes the same
// bytes to one connection, again and again.
func BenchmarkCPUARequest(b *testing.B) {
	for _, c := range []struct {
		name    string
		sampler sdktrace.Sampler // nil: only metrics
		do      func(context.Context, *session.Session[account])
	}{
		{"read/metrics", nil, look},
		{"write/metrics", nil, count},
		{"read/none sampled", sdktrace.NeverSample(), look},
		{"write/none sampled", sdktrace.NeverSample(), count},
		{"read/1 % sampled", sdktrace.TraceIDRatioBased(0.01), look},
		{"write/1 % sampled", sdktrace.TraceIDRatioBased(0.01), count},
		{"read/all sampled", sdktrace.AlwaysSample(), look},
		{"write/all sampled", sdktrace.AlwaysSample(), count},
	} {
		b.Run(c.name, func(b *testing.B) {
			traces := trace.TracerProvider(noop.NewTracerProvider())
			if c.sampler != nil {
				traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}), sdktrace.WithSampler(c.sampler))
			}
			telemetry, err := otelsession.New(otelsession.Options{TracerProvider: traces, MeterProvider: metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))})
			if err != nil {
				b.Fatal(err)
			}
			defer telemetry.Close()
			cfg := session.Config{Secrets: []string{secret}, Cookie: session.Cookie{Secure: session.SecureAuto}}
			// Two servers without telemetry show how much of the difference is chance.
			without, again := newTurns(b, cfg, traces, c.do), newTurns(b, cfg, traces, c.do)
			with := newTurns(b, telemetry.Instrument(cfg), traces, c.do)
			const turn = 500
			all, round := []*turns{without, with, again}, 0
			for b.Loop() {
				for i := range all { // each is first, second and third as often
					all[(i+round)%len(all)].run(b, turn)
				}
				round++
			}
			before, after := without.quartile(turn), with.quartile(turn)
			b.ReportMetric(before, "without-ns/req")
			b.ReportMetric(after, "with-ns/req")
			b.ReportMetric((after-before)/before*100, "%more")
			b.ReportMetric((again.quartile(turn)-before)/before*100, "%chance")
		})
	}
}

type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// turns is a server with a connection to it.
type turns struct {
	conn    net.Conn
	answers *bufio.Reader
	request []byte
	took    []time.Duration
}

func newTurns(b *testing.B, cfg session.Config, traces trace.TracerProvider, do func(context.Context, *session.Session[account])) *turns {
	b.Helper()
	m, err := session.New[account](cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	tracer := traces.Tracer("bench")
	handler := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		do(r.Context(), s)
		_, _ = io.WriteString(w, "answer")
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { count(r.Context(), s) })(w, r)
			return
		}
		ctx, span := tracer.Start(r.Context(), "GET")
		defer span.End()
		handler(w, r.WithContext(ctx))
	}))
	b.Cleanup(server.Close)
	first, err := http.Get(server.URL + "/first")
	if err != nil {
		b.Fatal(err)
	}
	first.Body.Close()
	cookie := first.Cookies()[0]
	t := &turns{request: []byte("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + cookie.Name + "=" + cookie.Value + "\r\n\r\n")}
	if t.conn, err = net.Dial("tcp", server.Listener.Addr().String()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.conn.Close() })
	t.answers = bufio.NewReader(t.conn)
	return t
}

func (t *turns) run(b *testing.B, n int) {
	before := cpu(b)
	for range n {
		if _, err := t.conn.Write(t.request); err != nil {
			b.Fatal(err)
		}
		// The answer ends with the body.
		for {
			line, err := t.answers.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := t.answers.Discard(len("answer")); err != nil {
			b.Fatal(err)
		}
	}
	t.took = append(t.took, cpu(b)-before)
}

func (t *turns) quartile(n int) float64 {
	slices.Sort(t.took)
	return float64(t.took[len(t.took)/4]) / float64(n)
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A request that is not sampled allocates nothing more.
func TestNotSampledAllocatesNothing(t *testing.T) {
	telemetry, err := otelsession.New(otelsession.Options{
		TracerProvider: noop.NewTracerProvider(), MeterProvider: metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Close()
	bare := memory(t)
	allocations := func(cfg session.Config) float64 {
		return testing.AllocsPerRun(1000, func() { _, _ = cfg.Store.Load(context.Background(), "none") })
	}
	before, after := allocations(session.Config{Store: bare}), allocations(telemetry.Instrument(session.Config{Store: bare}))
	if after > before {
		t.Errorf("a load allocates %v times, and %v without telemetry", after, before)
	}
}
