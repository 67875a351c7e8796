package session_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// BenchmarkNotifyContext opens 100,000 live contexts, each of a session of its own, and
// reports what each takes (memory, and time until all are looked at), how many goroutines
// serve them all, and how long it is until the last has ended when all sessions do.
func BenchmarkNotifyContext(b *testing.B) {
	const n = 20_000
	mem := memstore.New(memstore.Config{MaxSessions: 1 << 20})
	defer mem.Close()
	m := newManager[account](b, session.Config{Store: mem})
	requests := make([]context.Context, n) // what the contexts are made from
	sessions := make([]*session.Session[account], n)
	stops, ends := make([]context.CancelFunc, n), make([]context.CancelFunc, n)
	contexts := make([]context.Context, n)
	heap := func() float64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.HeapAlloc)
	}
	var opening, ending time.Duration
	var bytes float64
	goroutines := 0
	for b.Loop() {
		b.StopTimer()
		for i := range sessions {
			browser := newBrowser()
			login(b, m, browser, fmt.Sprint("user", i))
			do(m, browser, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.SetOwner("everybody")
				sessions[i] = s
			})
			requests[i], ends[i] = context.WithCancel(context.Background())
		}
		before, idle := heap(), runtime.NumGoroutine()
		b.StartTimer()
		began := time.Now()
		for i, s := range sessions {
			contexts[i], stops[i] = s.NotifyContext(requests[i])
		}
		rest := func(goroutines int) { // the looks at the beginning and the removals at the end are over
			for runtime.NumGoroutine() > goroutines {
				runtime.Gosched()
			}
		}
		rest(idle + 2)
		opening += time.Since(began)
		b.StopTimer()
		goroutines = runtime.NumGoroutine() - idle
		bytes = (heap() - before) / n
		began = time.Now()
		if revoked, err := m.RevokeOwner(context.Background(), "everybody"); revoked != n || err != nil {
			b.Fatalf("%d, %v", revoked, err)
		}
		for _, ctx := range contexts {
			<-ctx.Done()
		}
		ending += time.Since(began)
		for i := range stops {
			stops[i]()
			ends[i]()
		}
		rest(idle)
		clear(contexts)
		clear(stops)
		b.StartTimer()
	}
	b.ReportMetric(bytes, "B/context")
	b.ReportMetric(float64(goroutines), "goroutines")
	b.ReportMetric(float64(opening.Nanoseconds())/n/float64(b.N), "ns/context")
	b.ReportMetric(float64(ending.Nanoseconds())/n/float64(b.N), "ns/end")
	b.ReportMetric(0, "ns/op")
}
