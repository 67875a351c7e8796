package main

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// pkg is what is known of a package whose tests run.
type pkg struct {
	count
	path     string
	tests    map[string]*test
	failures []*failure
	output   []string        // its own
	kept     []string        // of tests that passed, in case that it is of interest to those that fail
	why      string          // what its own output says of its end
	hung     map[string]bool // the tests that ran when the time was over
	listing  bool            // its output is at the list of those
	ended    bool
}

// test is one that has begun.
type test struct {
	since       time.Time // when it began or went on
	paused      bool      // it waits for its turn among the parallel ones
	ended       bool
	failedBelow bool // a test within it has failed
	output      []string
	why         string // what its output says of its end
}

func newPkg(path string) *pkg {
	return &pkg{path: path, tests: map[string]*test{}, hung: map[string]bool{}}
}

// The ends that a process comes to before its tests do, as they stand at the beginning
// of a line, and what they are called.
var fatalEnds = []struct{ begins, called string }{
	{"panic: test timed out after ", "timed out after "},
	{"panic: ", "panicked"},
	{"fatal error: ", "fatal error: "},
	{"SIGQUIT: quit", "killed, since it ran too long"},
	{"*** Test killed", "killed, since it ran too long"},
}

const race = "data race"

// wrote takes note of a piece of output. What comes after a test's end is the package's.
func (p *pkg) wrote(name, text string) {
	output, why := &p.output, &p.why
	if t := p.tests[name]; t != nil && !t.ended {
		output, why = &t.output, &t.why
	}
	*output = append(*output, text)
	line := strings.TrimRight(text, "\n")
	switch {
	case strings.HasPrefix(line, "\trunning tests:"):
		p.listing = true
		return
	case p.listing && strings.HasPrefix(line, "\t\t"):
		test := strings.TrimSpace(line)
		if i := strings.LastIndex(test, " ("); i >= 0 {
			test = test[:i]
		}
		p.hung[test] = true
		return
	}
	p.listing = false
	if *why != "" && *why != race {
		return // the first word counts
	}
	for _, end := range fatalEnds {
		if rest, ok := strings.CutPrefix(line, end.begins); ok {
			if *why = end.called; strings.HasSuffix(end.called, " ") {
				*why += rest
			}
			return
		}
	}
	if strings.Contains(line, "race detected during execution of test") || strings.HasPrefix(line, "Found ") && strings.HasSuffix(line, "data race(s)") {
		*why = race
	}
}

// keepOf keeps what a test wrote that has passed, if a test that fails may be the cause.
func (p *pkg) keepOf(t *test) {
	if slices.ContainsFunc(t.output, func(s string) bool { return strings.Contains(s, "WARNING: DATA RACE") }) {
		p.kept = append(p.kept, t.output...)
	}
}

// explain tells the tests within one, which have failed, what it says of the end.
func (p *pkg) explain(name, why string) {
	for _, f := range p.failures {
		if f.Why == "" && strings.HasPrefix(f.What, p.path+" "+name+"/") {
			f.Why = why
		}
	}
}

// fatal is what ended the process before its tests had ended; "" if nothing is known to
// have.
func (p *pkg) fatal() string {
	if p.why != "" && p.why != race {
		return p.why
	}
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		if why := p.tests[name].why; why != "" && why != race {
			return why
		}
	}
	return ""
}

// verdict is why the package itself has failed, and not only its tests; "" if it has not.
func (p *pkg) verdict(build string) string {
	switch {
	case build != "":
		return "does not build"
	case p.why != "" && p.why != race && len(p.hung) == 0:
		return p.why
	case p.Failed > 0:
		return ""
	case p.why != "":
		return p.why
	}
	return "failed outside of its tests"
}

// unended are the tests that have not said how they ended, the innermost of them, and
// none in which one has failed.
func (p *pkg) unended() []string {
	outer := map[string]bool{}
	for name, t := range p.tests {
		if t.ended {
			continue
		}
		for at := range around(name) {
			outer[at] = true
		}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.tests)) {
		if t := p.tests[name]; !t.ended && !t.failedBelow && !outer[name] {
			names = append(names, name)
		}
	}
	return names
}

// around are the names of the tests around one.
func around(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(name, '/'); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
			if !yield(name[:i]) {
				return
			}
		}
	}
}

// speaks tells whether a test wrote something beside the marks of its course.
func (t *test) speaks() bool {
	return slices.ContainsFunc(t.output, func(line string) bool {
		line = strings.TrimLeft(line, " ")
		return !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ")
	})
}
