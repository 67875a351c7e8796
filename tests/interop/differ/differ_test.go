package differ

import (
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

func TestChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, got, missing, extra string }{
		{"a b c", "a b c", "", ""},
		{"a b c", "a c", "b", ""},
		{"a c", "a b c", "", "b"},
		{"a b", "b a", "a", "a"},
		{"", "a b", "", "a b"},
		{"a b", "", "a b", ""},
		{"a b c d", "x b y d", "a c", "x y"},
	} {
		missing, extra := change(strings.Fields(c.want), strings.Fields(c.got), func(a, b string) bool { return a == b })
		if !slices.Equal(missing, strings.Fields(c.missing)) || !slices.Equal(extra, strings.Fields(c.extra)) {
			t.Errorf("from %q to %q: %q is missing and %q is extra", c.want, c.got, missing, extra)
		}
	}
}

// A row allows only what it names.
func TestRowsAreNarrow(t *testing.T) {
	t.Parallel()
	id := func(s string) *string { return &s }
	sent := []scenario.Cookie{{Name: "n", ID: id("S1"), Change: "same"}}
	theirs := []scenario.Cookie{{Name: "theirs", Value: id("v")}}
	revived := &Place{
		Scenario: &scenario.Scenario{}, Step: &scenario.Step{},
		Want: &scenario.Result{Notes: []string{"resurrected"}, Calls: []string{"set S1"}, Cookies: sent, Store: scenario.Store{"main": {"S1": 1.0, "S2": 1.0}}},
		Got:  &scenario.Result{Calls: []string{"set S1 gone"}, Store: scenario.Store{"main": {"S2": 1.0}}},
	}
	of := func(p *Place, d compare.Difference) bool {
		d.WantedOf, d.GotOf = p.Want, p.Got
		return Find(p, &d) != nil
	}
	for name, c := range map[string]struct {
		d       compare.Difference
		allowed bool
	}{
		"the record":           {compare.Difference{Field: compare.Stored, ID: "S1", Expected: 1.0}, true},
		"another record":       {compare.Difference{Field: compare.Stored, ID: "S2", Expected: 1.0}, false},
		"a record of its own":  {compare.Difference{Field: compare.Stored, ID: "S1", Got: 1.0}, false},
		"its cookie":           {compare.Difference{Field: compare.Cookies, Expected: sent, Got: []scenario.Cookie{}}, true},
		"the application's":    {compare.Difference{Field: compare.Cookies, Expected: theirs, Got: []scenario.Cookie{}}, false},
		"a cookie more":        {compare.Difference{Field: compare.Cookies, Expected: []scenario.Cookie{}, Got: sent}, false},
		"the call":             {compare.Difference{Field: compare.Calls, WantCalls: []string{"main:set S1"}, GotCalls: []string{"main:set S1 gone"}}, true},
		"another call":         {compare.Difference{Field: compare.Calls, WantCalls: []string{"main:set S2"}, GotCalls: []string{"main:set S1 gone"}}, false},
		"the status":           {compare.Difference{Field: compare.Status, Expected: 200, Got: 500}, false},
		"the body":             {compare.Difference{Field: compare.Body}, false},
		"a header":             {compare.Difference{Field: compare.Headers}, false},
		"an interim response":  {compare.Difference{Field: compare.Interim}, false},
		"an error out of turn": {compare.Difference{Field: compare.Late}, false},
	} {
		if got := of(revived, c.d); got != c.allowed {
			t.Errorf("where a session was resurrected, %s may differ: %v", name, got)
		}
	}
	plain := *revived
	want := *revived.Want
	want.Notes = nil
	plain.Want = &want
	if !of(&plain, compare.Difference{Field: compare.Stored, ID: "S1", Expected: 1.0}) {
		t.Error("a record that was removed meanwhile has to be written, unless somebody noted it")
	}
	plain.Got = &scenario.Result{Store: revived.Got.Store}
	if of(&plain, compare.Difference{Field: compare.Stored, ID: "S1", Expected: 1.0}) {
		t.Error("a record may be missing without a note or a refused write")
	}
	if Refusal(&scenario.Scenario{Tags: []string{"quirk:resurrection"}}) != nil || Refusal(&scenario.Scenario{Tags: []string{"quirk:late-error"}}) == nil {
		t.Error("New may refuse a configuration that can work")
	}
}
