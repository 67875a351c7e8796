package run_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/tests/interop/differ"
	"github.com/nestsession/session/tests/interop/run"
	"github.com/nestsession/session/tests/interop/scenario"
)

// replayed is every scenario with its outcome, computed once.
var replayed = sync.OnceValues(func() ([]scenario.Case, []run.Outcome) {
	cases, _, err := scenario.Load("../testdata/scenarios", "../testdata/made-up")
	if err != nil || len(cases) == 0 {
		panic(fmt.Sprintf("no scenarios: %v", err))
	}
	return cases, run.All(cases)
})

func isRecorded(c scenario.Case) bool { return !strings.HasPrefix(c.Name, "made-up/") }

// plain reports whether a scenario has neither a tag of a quirk nor a note.
func plain(c scenario.Case) bool {
	quirk := func(tag string) bool { return strings.HasPrefix(tag, "quirk:") }
	noted := func(r scenario.Result) bool { return len(r.Notes) > 0 }
	return !slices.ContainsFunc(c.Scenario.Tags, quirk) && !slices.ContainsFunc(c.Expected, noted)
}

func failures(o run.Outcome) string {
	var b strings.Builder
	if _, err := run.Report(&b, []run.Outcome{o}); err != nil {
		return err.Error()
	}
	return b.String()
}

// Every recorded scenario passes. Those without a tag or a note pass without any difference.
func TestRecordedScenarios(t *testing.T) {
	t.Parallel()
	cases, outcomes := replayed()
	recorded, exact := 0, 0
	for i, o := range outcomes {
		if !isRecorded(cases[i]) {
			continue
		}
		recorded++
		switch {
		case o.Verdict() == run.Failed:
			t.Errorf("%s", failures(o))
		case plain(cases[i]) && o.Verdict() != run.Passed:
			t.Errorf("has neither tag nor note, and differs:\n%s", failures(o))
		case plain(cases[i]):
			exact++
		}
	}
	if recorded != 626 || exact != 438 {
		t.Errorf("%d scenarios, of which %d are plain; they were 626 and 438", recorded, exact)
	}
}

// Scenarios that use features which no recorded one uses, recorded in the same way.
func TestMadeUpScenarios(t *testing.T) {
	t.Parallel()
	cases, outcomes := replayed()
	for i, o := range outcomes {
		if !isRecorded(cases[i]) && o.Verdict() == run.Failed {
			t.Errorf("%s", failures(o))
		}
	}
}

// The table does not depend on the names of scenarios.
func TestNamesDoNotCount(t *testing.T) {
	t.Parallel()
	cases, before := replayed()
	for i, c := range cases {
		if before[i].Verdict() != run.OnPurpose {
			continue
		}
		anonymous := *c.Scenario
		anonymous.Name = "anonymous"
		c.Name, c.Scenario = anonymous.Name, &anonymous
		if o := run.One(c); o.Verdict() != run.OnPurpose {
			t.Errorf("%s has another outcome under the name %s", before[i].Name, o.Name)
		}
	}
}

// Every row of the table is needed by a scenario, has a reason, and is found by exactly one key.
func TestRowsAreNeededAndSayWhy(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	_, outcomes := replayed()
	for _, o := range outcomes {
		if o.Refused != nil {
			used[o.Refused.Key()] = true
		}
		for _, f := range o.Findings {
			if f.Row != nil {
				used[f.Row.Key()] = true
			}
		}
	}
	seen := map[string]bool{}
	for i := range differ.Table {
		r := &differ.Table[i]
		if !used[r.Key()] {
			t.Errorf("%s: no scenario differs by it", r.Key())
		}
		if seen[r.Key()] {
			t.Errorf("%s stands twice", r.Key())
		}
		seen[r.Key()] = true
		if r.Differs == "" || r.Reason == "" {
			t.Errorf("%s: does not say what differs and why", r.Key())
		}
		keys := 0
		for _, key := range []string{r.Tag, r.Note, r.Rule} {
			if key != "" {
				keys++
			}
		}
		if keys != 1 || (r.Rule != "") != (r.Is != nil) {
			t.Errorf("%s: is found by %d things", r.Key(), keys)
		}
	}
}
