// Package sizing measures how much room a session takes in each store, for docs/deployment.md and
// docs/scale.md.
package sizing_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/nestsession/session/store/memstore"
)

// resident returns how much memory the system has given the process.
func resident(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func BenchmarkMemory(b *testing.B) {
	before := resident(b)
	s := memstore.New(memstore.Config{SweepInterval: -1})
	defer s.Close()
	fill(b, s, true)
	report(b, before, resident(b), "B/session")
	b.ReportMetric(float64(s.Stats().Bytes)/sessions, "counted-B/session")
}
