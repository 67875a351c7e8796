package session_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// BenchmarkNotifyContext opens a live context, and reports what each of them takes and
// how many goroutines serve them all.
func BenchmarkNotifyContext(b *testing.B) {
	mem := memstore.New(memstore.Config{MaxSessions: 1 << 20})
	defer mem.Close()
	m := newManager[account](b, session.Config{Store: mem})
	defer m.Close()
	const users = 1000
	sessions := make([]*session.Session[account], users)
	for i := range sessions {
		browser := newBrowser()
		login(b, m, browser, fmt.Sprint("user", i))
		do(m, browser, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { sessions[i] = s })
	}
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	stops := make([]context.CancelFunc, 0, b.N)
	before, parent := heap(), context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, stop := sessions[i%users].NotifyContext(parent)
		stops = append(stops, stop)
	}
	n := float64(len(stops))
	b.ReportMetric(float64(heap()-before-uint64(8*cap(stops)))/n, "B/context")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	for _, stop := range stops {
		stop()
	}
}
