package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json` and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string // of build-output
	FailedBuild string // the ImportPath whose build-output says why
}

// pkg is what is known of a package while its tests run.
type pkg struct {
	count
	running map[string]bool     // tests that have not said how they ended
	output  map[string][]string // by test; "" is the package's own
	ended   bool
}

// report turns the events of a `go test -json` into counts and into what somebody
// who has to mend it wants to read: the output of what failed, whole.
type report struct {
	w      io.Writer
	strict bool // a skip is a failure
	pkgs   map[string]*pkg
	builds map[string][]string // output of the compiler, by ImportPath
	total  count
}

func newReport(w io.Writer, strict bool) *report {
	return &report{w: w, strict: strict, pkgs: map[string]*pkg{}, builds: map[string][]string{}}
}

func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(r.w, line) // not from test2json: it is for a person
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	if e.Action == "build-output" {
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.pkgs[e.Package]
	if p == nil {
		p = &pkg{running: map[string]bool{}, output: map[string][]string{}}
		r.pkgs[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.running[e.Test] = true
	case "output":
		p.output[e.Test] = append(p.output[e.Test], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(p, e)
			return
		}
		delete(p.running, e.Test)
		r.endTest(p, e)
	}
}

func (r *report) endTest(p *pkg, e event) {
	switch {
	case e.Action == "pass":
		p.passed++
	case e.Action == "skip" && !r.strict:
		p.skipped++
		fmt.Fprintf(r.w, "SKIP  %s %s\n", e.Package, e.Test)
	case e.Action == "skip":
		p.failed++
		r.show(p, e.Package, e.Test, "skipped itself, which counts as failed in CI")
		return
	default:
		p.failed++
		r.show(p, e.Package, e.Test, "failed")
		return
	}
	delete(p.output, e.Test)
}

// show prints what a test wrote, once.
func (r *report) show(p *pkg, path, test, verdict string) {
	fmt.Fprintf(r.w, "----  %s %s %s\n", path, test, verdict)
	for _, line := range p.output[test] {
		fmt.Fprint(r.w, line)
	}
	delete(p.output, test)
}

func (r *report) endPackage(p *pkg, e event) {
	p.ended = true
	if e.Action == "fail" {
		r.failPackage(p, e.Package, e.FailedBuild)
	}
	r.total.passed += p.passed
	r.total.failed += p.failed
	r.total.skipped += p.skipped
	verdict := "ok   "
	switch {
	case p.failed > 0:
		verdict = "FAIL "
	case p.passed == 0 && p.skipped == 0:
		return // no tests
	}
	fmt.Fprintf(r.w, "%s %s  %d passed, %d failed  %.1fs\n", verdict, e.Package, p.passed, p.failed, e.Elapsed)
}

// failPackage accounts for a package that failed: tests that never ended (a panic, a
// timeout) have failed, and if no test has, the package itself (it does not build, or
// TestMain gave up).
func (r *report) failPackage(p *pkg, path, build string) {
	for _, line := range r.builds[build] {
		fmt.Fprint(r.w, line)
	}
	for _, test := range slices.Sorted(maps.Keys(p.running)) {
		p.failed++
		r.show(p, path, test, "did not end")
	}
	if p.failed == 0 {
		p.failed++
	}
	r.show(p, path, "", "(the package)")
}

// finish returns the counts. A package of which no end was heard has failed.
func (r *report) finish() count {
	for _, path := range slices.Sorted(maps.Keys(r.pkgs)) {
		if p := r.pkgs[path]; !p.ended {
			r.endPackage(p, event{Action: "fail", Package: path})
		}
	}
	return r.total
}
