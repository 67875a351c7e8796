package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// event is a line of `go test -json`; see `go doc test2json` and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string // of build-output
	FailedBuild string // the ImportPath whose build-output has the reason
}

// report turns the events of a `go test -json` into counts, and prints the whole output
// of what failed.
type report struct {
	w      *pulse
	module module
	strict bool // a skip is a failure
	pkgs   map[string]*pkg
	builds map[string][]string // output of the compiler, by ImportPath
	total  entry
}

func newReport(w *pulse, m module, strict bool) *report {
	return &report{
		w: w, module: m, strict: strict, pkgs: map[string]*pkg{}, builds: map[string][]string{},
		total: entry{Label: m.label()},
	}
}

// read takes events until there are no more, and reports meanwhile what is running.
func (r *report) read(from io.Reader) error {
	lines, stop := make(chan string), make(chan struct{})
	defer close(stop)
	var readErr error // set before lines is closed
	go func() {
		defer close(lines)
		in := bufio.NewReader(from)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				select {
				case lines <- line:
				case <-stop:
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					readErr = err
				}
				return
			}
		}
	}()
	for {
		line, ok := during(r.w, lines, r.running)
		if !ok {
			return readErr
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Fprint(r.w, line) // not from test2json: text for people
			continue
		}
		r.take(e)
		r.w.beat(r.running) // events may come without pause, and none of them is shown
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
		p = newPkg(e.Package)
		r.pkgs[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.tests[e.Test] = &test{since: time.Now()}
	case "pause", "cont":
		if t := p.tests[e.Test]; t != nil {
			t.paused, t.since = e.Action == "pause", time.Now()
		}
	case "output":
		p.wrote(e.Test, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(p, e)
			return
		}
		r.endTest(p, e)
	}
}

func (r *report) endTest(p *pkg, e event) {
	t := p.tests[e.Test]
	if t == nil { // it ended without a beginning, such as an example that cannot be run
		t = &test{}
		p.tests[e.Test] = t
	}
	t.ended = true
	switch {
	case e.Action == "pass":
		p.Passed++
		p.keepOf(t)
		t.why = "" // it only wrote a similar text
	case e.Action == "skip" && !r.strict:
		p.Skipped++
		fmt.Fprintf(r.w, "SKIP  %s %s\n", e.Package, e.Test)
		r.show(t.output)
	case e.Action == "skip":
		r.failTest(p, e.Test, "skipped itself, which counts as failed in CI")
	case t.failedBelow: // that test has failed, not this one
		p.explain(e.Test, t.why)
		if t.speaks() {
			fmt.Fprintf(r.w, "----  %s %s, around it\n", e.Package, e.Test)
			r.show(t.output)
		}
	default:
		r.failTest(p, e.Test, t.why)
	}
	t.output = nil
}

// failTest counts a test as failed, and shows its output.
func (r *report) failTest(p *pkg, name, why string) {
	for at := range around(name) {
		if t := p.tests[at]; t != nil {
			t.failedBelow = true
		}
	}
	p.Failed++
	p.failures = append(p.failures, &failure{
		What: p.path + " " + name, Why: why, Where: r.module.folder, Again: r.module.again(r.module.pkg(p.path), name),
	})
	verdict := "failed"
	if why != "" {
		verdict += ": " + why
	}
	fmt.Fprintf(r.w, "----  %s %s %s\n", p.path, name, verdict)
	if t := p.tests[name]; t != nil {
		r.show(t.output)
		t.output = nil
	}
}

// show prints an output.
func (r *report) show(output []string) {
	for _, line := range output {
		fmt.Fprint(r.w, line)
	}
	r.w.endLine()
}

func (r *report) endPackage(p *pkg, e event) {
	p.ended = true
	if e.Action == "fail" {
		r.failPackage(p, e.FailedBuild)
	}
	r.total.add(p.count)
	for _, f := range p.failures {
		r.total.Failures = append(r.total.Failures, *f)
	}
	verdict := "ok   "
	switch {
	case p.Failed > 0:
		verdict = "FAIL "
	case p.Passed == 0 && p.Skipped == 0:
		return // no tests
	}
	fmt.Fprintf(r.w, "%s %s  %d passed, %d failed  %.1fs\n", verdict, e.Package, p.Passed, p.Failed, e.Elapsed)
}

// failPackage counts the failures of a package: the tests that never ended, and the
// package itself if no test has failed (it does not build, or TestMain gave up) or if it
// reports a failure of its own.
func (r *report) failPackage(p *pkg, build string) {
	r.show(r.builds[build])
	var interrupted []string
	for _, name := range p.unended() {
		switch {
		case p.hung[name]:
			r.failTest(p, name, p.fatal())
		case p.fatal() == "":
			r.failTest(p, name, "did not end")
		case p.tests[name].why != "":
			r.failTest(p, name, p.tests[name].why)
		default:
			interrupted = append(interrupted, name)
		}
	}
	if why := p.verdict(build); why != "" {
		p.Failed++
		p.failures = append(p.failures, &failure{
			What: p.path, Why: why, Where: r.module.folder, Again: r.module.again(r.module.pkg(p.path), ""),
		})
		fmt.Fprintf(r.w, "----  %s %s\n", p.path, why)
	} else {
		fmt.Fprintf(r.w, "----  %s (the package)\n", p.path)
	}
	if len(interrupted) > 0 {
		fmt.Fprintf(r.w, "      not run to the end because of that, and not counted: %s\n", strings.Join(interrupted, ", "))
		for _, name := range interrupted {
			r.show(p.tests[name].output)
		}
	}
	r.show(p.kept)
	r.show(p.output)
}

// finish returns the counts. A package without an end has failed.
func (r *report) finish() entry {
	for _, path := range slices.Sorted(maps.Keys(r.pkgs)) {
		if p := r.pkgs[path]; !p.ended {
			r.endPackage(p, event{Action: "fail", Package: path})
		}
	}
	return r.total
}
