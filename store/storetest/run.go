package storetest

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
)

// topics is the table of contents. Each topic is a file.
var topics = []struct {
	name  string
	cases []testCase
}{
	{"Load", loadCases},
	{"LoadSince", sinceCases},
	{"Create", createCases},
	{"Swap", swapCases},
	{"Version", versionCases},
	{"Touch", touchCases},
	{"Delete", deleteCases},
	{"Expiry", expiryCases},
	{"ID", idCases},
	{"Data", dataCases},
	{"Context", contextCases},
	{"Concurrency", concurrencyCases},
	{"Peers", peerCases},
	{"List", listCases},
	{"Watch", watchCases},
	{"Sweep", sweepCases},
	{"Ping", pingCases},
	{"Close", closeCases},
}

// Opened is a store for one case.
type Opened struct {
	// Store is empty, and only the case uses its records. It has room for a thousand
	// of them, and does not sweep by itself within a minute.
	Store store.Store

	// Peers are more instances on the same records, like other nodes of an
	// application. The cases about concurrent use spread their work over Store and
	// Peers. If there are none, name [Peers] in [Options.Without].
	Peers []store.Store

	// Now is the clock of all of them. Nil: the system's.
	Now func() time.Time

	// Advance moves that clock. Nil: the kit waits.
	Advance func(time.Duration)
}

// Options says how a store differs from the full contract. The zero value demands all
// capabilities.
type Options struct {
	// Without names the capabilities that the store does not have, with the reasons.
	Without map[Capability]string

	// Timeout ends a case that hangs. 0: two minutes.
	Timeout time.Duration

	// Resolution is how exactly the store keeps an expiry. 0: a millisecond, as in the
	// contract. A longer time is for stores on a table of another program.
	Resolution time.Duration

	// Skew is how far the store's clock may be behind this machine's, if there is no
	// Advance. 0: 50 milliseconds.
	Skew time.Duration

	// Lag is how long one of the Peers may still return a record that another has
	// replaced or removed, as a cache may. 0: not at all.
	Lag time.Duration

	// Parallel runs the cases in parallel with each other.
	Parallel bool

	// Synctest runs each case, including its call of open, in a bubble of
	// testing/synctest, where waiting takes no time.
	Synctest bool

	missing []Capability // found to be missing
}

// Run runs every case on a store of its own. open returns an empty store and closes it with
// t.Cleanup. If [Options.Parallel] is set, several goroutines may call open at the same
// time.
func Run(t *testing.T, open func(t *testing.T) Opened, o Options) {
	t.Helper()
	o = o.withDefaults()
	// This runs before the others, which depend on it, and never in parallel.
	o.alone(t, "Capabilities", func(t *testing.T) {
		opened := open(t)
		for _, err := range capabilityErrors(opened, o.Without) {
			t.Error(err)
		}
		o.missing = missing(opened)
	})
	for _, topic := range topics {
		t.Run(topic.name, func(t *testing.T) {
			for _, c := range topic.cases {
				if o.lacks(c.needs) {
					continue
				}
				o.subtest(t, c.name, func(t *testing.T) {
					report(t, c, c.check(open(t), o))
				})
			}
		})
	}
	for name, reason := range o.Without {
		o.subtest(t, "Without/"+string(name), func(t *testing.T) {
			t.Logf("%s: %s", name, reason)
			if err := unneeded(name, func() Opened { return open(t) }, o); err != nil {
				t.Error(err)
			}
		})
	}
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Timeout, 2*time.Minute)
	def(&o.Resolution, time.Millisecond)
	def(&o.Skew, 50*time.Millisecond)
	return o
}

func (o Options) subtest(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		if o.Parallel {
			t.Parallel()
		}
		o.bubble(t, f)
	})
}

// alone runs a subtest while no other runs.
func (o Options) alone(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { o.bubble(t, f) })
}

func (o Options) bubble(t *testing.T, f func(t *testing.T)) {
	if o.Synctest {
		synctest.Test(t, f)
		return
	}
	f(t)
}

// testCase is one rule and the function that checks it.
type testCase struct {
	name    string
	explain string // "a Store must …"
	needs   Capability
	run     func(ctx context.Context, e *env) error
	source  string // file and line
}

// rule makes a case that knows its file and line.
func rule(name, explain string, run func(ctx context.Context, e *env) error) testCase {
	_, file, line, _ := runtime.Caller(1)
	return testCase{
		name:    name,
		explain: explain,
		run:     run,
		source:  fmt.Sprintf("%s:%d", filepath.Join("storetest", filepath.Base(file)), line),
	}
}

// only restricts the case to stores with the capability.
func (c testCase) only(needs Capability) testCase {
	c.needs = needs
	return c
}

// surface is the part of a testing.T that reports a failure.
type surface interface {
	Helper()
	Errorf(format string, args ...any)
}

func report(t surface, c testCase, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v\n\trule: %s\n\tcase: %s", err, c.explain, c.source)
	}
}
