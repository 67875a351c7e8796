package otelsession_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/nestsession/session"
	"github.com/nestsession/session/otelsession"
	"github.com/nestsession/session/store"
)

// turn is how many requests are measured at once. Durations are recorded 256 at a time, so that each turn
// pays for as many as it makes.
const turn = 256

// BenchmarkCPUARequest measures the CPU of a request without telemetry and with it, in turns
// within one run. One server has managers without telemetry and with it, and one connection reaches them
// all, so that they differ in nothing else. The client is as cheap as a client can be, because its CPU is
// counted, too: it writes the same bytes again and again.
//
// It reports the difference of the lower quartiles of the turns, since what else the machine does only
// adds. Two managers have no telemetry: the difference is to their mean, and how far they are apart is chance.
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
			t := newTurns(b, traces, c.do, cfg, telemetry.Instrument(cfg), cfg)
			for b.Loop() {
				t.round(b)
			}
			first, with, second := t.quartile(0), t.quartile(1), t.quartile(2)
			without := (first + second) / 2
			b.ReportMetric(without, "without-ns/req")
			b.ReportMetric(with-without, "more-ns/req")
			b.ReportMetric((with-without)/without*100, "%more")
			b.ReportMetric((second-first)/without*100, "%chance")
		})
	}
}

type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// turns is a server with a connection to it.
type turns struct {
	conn     net.Conn
	answers  *bufio.Reader
	requests [][]byte    // one for each manager
	rounds   [][]float64 // nanoseconds a request with each manager
}

func newTurns(b *testing.B, traces trace.TracerProvider, do func(context.Context, *session.Session[account]), managers ...session.Config) *turns {
	b.Helper()
	tracer := traces.Tracer("bench")
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	t := &turns{}
	for i, cfg := range managers {
		m, err := session.New[account](cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { m.Close() })
		handler := m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			do(r.Context(), s)
			_, _ = io.WriteString(w, "answer")
		})
		path := "/" + strconv.Itoa(i)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			ctx, span := tracer.Start(r.Context(), "GET")
			defer span.End()
			handler(w, r.WithContext(ctx))
		})
		mux.Handle(path+"/first", m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { count(r.Context(), s) }))
		first, err := http.Get(server.URL + path + "/first")
		if err != nil {
			b.Fatal(err)
		}
		first.Body.Close()
		cookie := first.Cookies()[0]
		t.requests = append(t.requests, []byte("GET "+path+" HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie.Name+"="+cookie.Value+"\r\n\r\n"))
	}
	var err error
	if t.conn, err = net.Dial("tcp", server.Listener.Addr().String()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.conn.Close() })
	t.answers = bufio.NewReader(t.conn)
	return t
}

// round is a turn of each manager. Each is first, second and third as often.
func (t *turns) round(b *testing.B) {
	took := make([]float64, len(t.requests))
	for i := range took {
		i = (i + len(t.rounds)) % len(took)
		took[i] = t.turn(b, t.requests[i])
	}
	t.rounds = append(t.rounds, took)
}

// turn returns the nanoseconds of CPU a request.
func (t *turns) turn(b *testing.B, request []byte) float64 {
	before := cpu(b)
	for range turn {
		if _, err := t.conn.Write(request); err != nil {
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
	return float64(cpu(b)-before) / turn
}

// quartile returns the lower quartile of a manager's turns.
func (t *turns) quartile(manager int) float64 {
	all := make([]float64, len(t.rounds))
	for i, round := range t.rounds {
		all[i] = round[manager]
	}
	slices.Sort(all)
	return all[len(all)/4]
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A call that is not sampled allocates nothing more, whether it reads or writes.
func TestNotSampledAllocatesNothing(t *testing.T) {
	telemetry, err := otelsession.New(otelsession.Options{
		TracerProvider: noop.NewTracerProvider(), MeterProvider: metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer telemetry.Close()
	bare, ctx := memory(t), t.Context()
	kept := store.Record{ID: "kept", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
	if kept.Version, err = bare.Create(ctx, kept); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(store.Store) error{
		"a load of no session": func(s store.Store) error { _, _ = s.Load(ctx, "none"); return nil },
		"a load":               func(s store.Store) error { _, err := s.Load(ctx, "kept"); return err },
		"an update":            func(s store.Store) (err error) { kept.Version, err = s.Update(ctx, kept); return err },
	} {
		allocations := func(cfg session.Config) float64 {
			return testing.AllocsPerRun(1000, func() {
				if err := call(cfg.Store); err != nil {
					t.Error(err)
				}
			})
		}
		before, after := allocations(session.Config{Store: bare}), allocations(telemetry.Instrument(session.Config{Store: bare}))
		if after > before {
			t.Errorf("%s allocates %v times, and %v without telemetry", name, after, before)
		}
	}
}
