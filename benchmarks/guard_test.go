package benchmarks

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// figures are what a request costs, as it was recorded: allocations, and statements of this
// library and of encoding/json that run, which stand for instructions. They depend neither on
// the machine nor on what else runs on it.
//
// After a change that makes a request cheaper, or that is worth what it costs, write here what
// the test reports.
var figures = []struct {
	sessions   int
	work       string
	allocs     float64
	statements float64
}{
	{1, "read", 4.00, 656},
	{1, "write", 15.01, 2137},
	{1, "login", 17.06, 2365},
	{65_536, "read", 4.04, 668},
	{65_536, "write", 15.05, 2400},
	{65_536, "login", 17.02, 2363},
}

const (
	// guardWork names the sessions and the works of a child process, see TestGuardWork.
	guardWork = "NEST_GUARD_WORK"

	// allocsSlack and statementsSlack are the parts by which a figure may differ: which
	// documents a cache evicts, and what a pool has after a collection, is random. A decoding
	// more in each request is four times as many statements of a read.
	allocsSlack     = 0.06
	statementsSlack = 0.25

	// guardRuns is how many requests are measured: so many that what differs between two fills
	// of the store does not show.
	guardRuns = 50_000
)

// TestHotPathKeepsItsFigures: a read, a write and a login, among one and among 65,536 active
// sessions that come in random order, cost what was recorded. It measures in processes of its
// own, since the race detector changes what is allocated.
func TestHotPathKeepsItsFigures(t *testing.T) {
	t.Parallel()
	plain := buildGuard(t)
	counting := buildGuard(t, "-cover", "-covermode=count", "-coverpkg=github.com/nestsession/session/...,encoding/json")
	filling := map[int]float64{} // what a child runs that makes no request: it fills the store
	allocations := map[int][]byte{}
	for _, f := range figures {
		if _, ok := filling[f.sessions]; !ok {
			filling[f.sessions] = countStatements(t, counting, f.sessions, "none")
			allocations[f.sessions] = runGuard(t, plain, f.sessions, "read,write,login")
		}
		allocs := allocsOf(t, allocations[f.sessions], f.work)
		statements := (countStatements(t, counting, f.sessions, f.work) - filling[f.sessions]) / guardRuns
		line := fmt.Sprintf("{%d, %q, %.2f, %.0f}", f.sessions, f.work, allocs, statements)
		t.Log(line)
		if allocs > f.allocs*(1+allocsSlack) || statements > f.statements*(1+statementsSlack) {
			t.Errorf("a %s among %d sessions takes %.2f allocations and %.0f statements; %.2f and %.0f are recorded. Find what has become slower, or record %s",
				f.work, f.sessions, allocs, statements, f.allocs, f.statements, line)
		}
		if allocs < f.allocs*(1-2*allocsSlack) || statements < f.statements*(1-2*statementsSlack) {
			t.Errorf("a %s among %d sessions is cheaper than recorded: record %s, so that it stays so", f.work, f.sessions, line)
		}
	}
}

// buildGuard builds this package's tests.
func buildGuard(t *testing.T, flags ...string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "guard.test")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"test", "-c", "-vet=off", "-o", binary}, flags...), ".")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return binary
}

func runGuard(t *testing.T, binary string, sessions int, work string, flags ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-test.run=^TestGuardWork$", "-test.v"}, flags...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", guardWork, sessions, work), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return out
}

// allocsOf returns what a child has reported of a work.
func allocsOf(t *testing.T, out []byte, work string) float64 {
	t.Helper()
	_, after, _ := bytes.Cut(out, []byte("allocations of a "+work+": "))
	text, _, _ := bytes.Cut(after, []byte("\n"))
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return n
}

// countStatements returns how many statements a child has run for its requests.
func countStatements(t *testing.T, binary string, sessions int, work string) (sum float64) {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "cover")
	runGuard(t, binary, sessions, work, "-test.coverprofile="+profile)
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.Fields(line) // file:from,to statements count
		if len(parts) != 3 {
			continue
		}
		statements, err := strconv.ParseFloat(parts[1], 64)
		count, err2 := strconv.ParseFloat(parts[2], 64)
		if err != nil || err2 != nil {
			t.Fatalf("in a profile: %q", line)
		}
		sum += statements * count
	}
	return sum
}

// TestGuardWork is the child process of TestHotPathKeepsItsFigures.
func TestGuardWork(t *testing.T) { // not parallel: it counts allocations
	work := os.Getenv(guardWork)
	if work == "" {
		return
	}
	var sessions int
	var names string
	if _, err := fmt.Sscan(work, &sessions, &names); err != nil {
		t.Fatal(err)
	}
	c := nestCrowdIn(t, memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit, SweepInterval: -1}, session.SealOff, session.DefaultCacheBytes) // no work that depends on the time
	c.fill(sessions)
	read := c.serve(c.read)
	for range 2 * sessions {
		read()
	}
	works := map[string]func(){"read": read, "write": c.serve(c.write), "login": c.enterAll()}
	for _, name := range strings.Split(names, ",") {
		serve, ok := works[name]
		if !ok {
			continue // it is only filled
		}
		const rounds = 10
		n := 0.0
		for range rounds { // of which each runs the function twice, and measures the second time
			n += testing.AllocsPerRun(1, func() {
				for range guardRuns / rounds / 2 {
					serve()
				}
			})
		}
		fmt.Printf("allocations of a %s: %.3f\n", name, n/(guardRuns/2))
	}
}
