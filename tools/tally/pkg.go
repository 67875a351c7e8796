package main

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// pkg is the state of a package whose tests run.
type pkg struct {
	count
	path     string
	tests    map[string]*test
	failures []*failure
	output   []string        // its own
	kept     []string        // of tests that passed, because it may explain those that fail
	why      string          // why it ended, from its own output
	hung     map[string]bool // the tests that ran when the time was over
	listing  bool            // the lines that list those tests follow
	ended    bool
}

// test is a test that has begun.
type test struct {
	since       time.Time // when it began or went on
	paused      bool      // it waits for its turn among the parallel tests
	ended       bool
	failedBelow bool // a test within it has failed
	output      []string
	why         string // why it ended, from its output
}

func newPkg(path string) *pkg {
	return &pkg{path: path, tests: map[string]*test{}, hung: map[string]bool{}}
}

// The ways in which a process ends before its tests, by the beginning of the line that it
// prints, and their names.
var fatalEnds = []struct{ begins, called string }{
	{"panic: test timed out after ", "timed out after "},
	{"panic: ", "panicked"},
	{"fatal error: ", "fatal error: "},
	{"SIGQUIT: quit", "killed, since it ran too long"},
	{"*** Test killed", "killed, since it ran too long"},
}

const race = "data race"

// wrote records a piece of output. Output after a test's end is the package's.
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

// keepOf keeps the output of a passed test if it may explain a failure.
func (p *pkg) keepOf(t *test) {
	if slices.ContainsFunc(t.output, func(s string) bool { return strings.Contains(s, "WARNING: DATA RACE") }) {
		p.kept = append(p.kept, t.output...)
	}
}

// explain gives the failed tests within a test the reason for its end.
func (p *pkg) explain(name, why string) {
	for _, f := range p.failures {
		if f.Why == "" && strings.HasPrefix(f.What, p.path+" "+name+"/") {
			f.Why = why
		}
	}
}

// fatal returns what ended the process before its tests; "" if unknown.
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

// verdict returns why the package itself has failed, and not only its tests; "" if it has not.
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

// unended returns the innermost tests that have no result, without those in which a test
// has failed.
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

// around returns the names of the tests around a test.
func around(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(name, '/'); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
			if !yield(name[:i]) {
				return
			}
		}
	}
}

// speaks reports whether a test wrote something other than its start and end.
func (t *test) speaks() bool {
	return slices.ContainsFunc(t.output, func(line string) bool {
		line = strings.TrimLeft(line, " ")
		return !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ")
	})
}
