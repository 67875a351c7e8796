package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// shown is the number of running tests in a line.
const shown = 4

// running returns the progress of the run in one line: the tests that have run longest,
// or what it waits for.
func (r *report) running() string {
	type one struct {
		name  string
		since time.Time
	}
	var all []one
	var started []string
	begun := 0
	for _, path := range slices.Sorted(maps.Keys(r.pkgs)) {
		p := r.pkgs[path]
		begun += p.Passed + p.Failed + p.Skipped
		if p.ended {
			continue
		}
		some := false
		for _, name := range p.unended() {
			if t := p.tests[name]; !t.paused {
				all, some = append(all, one{r.module.pkg(path) + " " + name, t.since}), true
			}
		}
		if !some {
			started = append(started, r.module.pkg(path))
		}
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name)) })
	var at []string
	for _, t := range all[:min(shown, len(all))] {
		at = append(at, fmt.Sprintf("%s for %v", t.name, time.Since(t.since).Round(time.Second)))
	}
	if more := len(all) - shown; more > 0 {
		at = append(at, fmt.Sprintf("%d more", more))
	}
	if len(at) == 0 && len(started) > 0 {
		at = append(at, "between tests of "+strings.Join(started, ", "))
	}
	if len(at) == 0 {
		at = append(at, "building the tests")
	}
	return fmt.Sprintf("%s, %v, %d done: %s", r.module.label(), r.w.ran(), begun, strings.Join(at, "; "))
}
