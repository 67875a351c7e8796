//go:build unix

package benchmarks

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"
)

var (
	turns  = flag.Int("turns", 1, "how often TestCPU times each contender's reads")
	active = flag.Int("sessions", 16, "how many sessions TestCPU reads, in random order")
)

// TestCPU prints the CPU time of a read for each contender: the smallest of all turns, in which the
// contenders take part one after the other, so that other work on the machine affects all alike.
//
//	go test -run CPU -v -turns 50 -sessions 1024
func TestCPU(t *testing.T) {
	const requests = 5_000
	type line struct {
		name     string
		handler  http.Handler
		requests []*http.Request
		least    time.Duration
	}
	var lines []line
	for _, c := range contenders(t) {
		l := line{c.name, c.read, nil, math.MaxInt64}
		for range *active {
			l.requests = append(l.requests, c.carry(t))
		}
		lines = append(lines, l)
	}
	w := &writer{http.Header{}}
	for range *turns {
		for i, l := range lines {
			before := cpuTime(t)
			for range requests {
				clear(w.header)
				l.handler.ServeHTTP(w, l.requests[rand.IntN(len(l.requests))])
			}
			lines[i].least = min(l.least, cpuTime(t)-before)
		}
	}
	for _, l := range lines {
		t.Logf("%-16s %7.2f µs, %5s times nest", l.name, float64(l.least.Nanoseconds())/1000/requests,
			fmt.Sprintf("%.1f", float64(l.least)/float64(lines[0].least)))
	}
}

// cpuTime returns how much CPU time the process has used. The system divides it into user and system
// time only roughly.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
