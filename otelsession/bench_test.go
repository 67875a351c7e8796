package otelsession_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
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

// A turn is 16 requests. The managers take 16 turns each in a round, one after another: short turns, so that
// what else the machine does meanwhile concerns all of them. Durations are recorded 256 at a time, so that
// each round pays for as many as it makes.
const (
	turn  = 16
	turns = 16
)

// BenchmarkCPUARequest measures the CPU of a request without telemetry and with it, in turns
// within one run. One server has managers without telemetry and with it, and one connection reaches them
// all, so that they differ in nothing else. The client is as cheap as a client can be, because its CPU is
// counted, too: it writes the same bytes again and again.
//
// One processor runs it all, as in a server that is busy: with more, a request that waits for the only
// connection also pays for waking another processor, which costs more or less than it by chance. For the same
// reason the garbage collector runs between the rounds, if no spans are recorded: telemetry then
// allocates nothing, and what the collector costs would only make its share smaller.
//
// It reports the median of what the rounds say, and their quartiles. Two managers have no telemetry: the
// differences are to their mean, and how far they are apart is chance.
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
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			allocates := false
			traces := trace.TracerProvider(noop.NewTracerProvider())
			if c.sampler != nil {
				traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}), sdktrace.WithSampler(c.sampler))
				allocates = c.sampler.Description() != sdktrace.NeverSample().Description()
			}
			cfg := session.Config{Secrets: []string{secret}, Cookie: session.Cookie{Secure: session.SecureAuto}}
			instrumented := func(durations *otelsession.Durations) session.Config {
				reader := metric.NewManualReader()
				if durations != nil {
					reader = metric.NewManualReader(metric.WithProducer(durations))
				}
				telemetry, err := otelsession.New(otelsession.Options{
					TracerProvider: traces, MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Durations: durations,
				})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { telemetry.Close() })
				return telemetry.Instrument(cfg)
			}
			r := newRounds(b, traces, c.do, cfg, instrumented(nil), cfg, instrumented(new(otelsession.Durations)))
			if !allocates {
				defer debug.SetGCPercent(debug.SetGCPercent(-1))
			}
			for b.Loop() {
				if !allocates {
					runtime.GC()
				}
				r.round(b)
			}
			without := func(round []float64) float64 { return (round[0] + round[2]) / 2 }
			r.report(b, "without-ns/req", without, 0.5)
			for unit, more := range map[string]func([]float64) float64{
				"%more":           func(round []float64) float64 { return (round[1]/without(round) - 1) * 100 },
				"%more-durations": func(round []float64) float64 { return (round[3]/without(round) - 1) * 100 },
				"%chance":         func(round []float64) float64 { return (round[2] - round[0]) / without(round) * 100 },
			} {
				r.report(b, unit, more, 0.5)
				r.report(b, unit+"-q1", more, 0.25)
				r.report(b, unit+"-q3", more, 0.75)
			}
		})
	}
}

type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// rounds is a server with a connection to it.
type rounds struct {
	conn     net.Conn
	answers  *bufio.Reader
	requests [][]byte    // one for each manager
	took     [][]float64 // nanoseconds a request with each manager, in each round
}

func newRounds(b *testing.B, traces trace.TracerProvider, do func(context.Context, *session.Session[account]), managers ...session.Config) *rounds {
	b.Helper()
	tracer := traces.Tracer("bench")
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	t := &rounds{}
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

// round is turns of each manager. Each is first, second, third and last as often.
func (t *rounds) round(b *testing.B) {
	took := make([]float64, len(t.requests))
	for first := range turns {
		for i := range took {
			i = (i + first) % len(took)
			took[i] += t.turn(b, t.requests[i]) / turns
		}
	}
	t.took = append(t.took, took)
}

// turn returns the nanoseconds of CPU a request.
func (t *rounds) turn(b *testing.B, request []byte) float64 {
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

// report reports a quantile of what a function says of the rounds.
func (t *rounds) report(b *testing.B, unit string, of func(round []float64) float64, quantile float64) {
	all := make([]float64, len(t.took))
	for i, round := range t.took {
		all[i] = of(round)
	}
	slices.Sort(all)
	b.ReportMetric(all[int(float64(len(all)-1)*quantile)], unit)
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
