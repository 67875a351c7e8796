// Package differ has the one table of what the library does otherwise than
// express-session on purpose.
package differ

import (
	"slices"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Row is one thing that differs on purpose. It applies to a scenario that has the
// tag, to a step that has the note, or to a request of which the rule holds; never
// to a scenario by its name.
type Row struct {
	Tag  string              // "quirk:..." of the scenario
	Note string              // of the step
	Rule string              // what a request does, in words
	Is   func(p *Place) bool // and the test for it

	Differs string // what exactly may differ
	Reason  string

	// Allows tells whether a difference is of that kind.
	Allows func(p *Place, d *compare.Difference) bool
	// Refuses is set where New may refuse the configuration altogether.
	Refuses bool
}

// Place is where a difference was found.
type Place struct {
	Scenario *scenario.Scenario
	Step     *scenario.Step
	Before   scenario.Store   // when the step began
	Want     *scenario.Result // of the step
	Got      *scenario.Result
}

// Key is the tag, note or rule by which the row is found.
func (r *Row) Key() string {
	switch {
	case r.Tag != "":
		return "tag " + r.Tag
	case r.Note != "":
		return "note " + r.Note
	}
	return "rule: " + r.Rule
}

func (r *Row) applies(p *Place) bool {
	switch {
	case r.Tag != "":
		return slices.Contains(p.Scenario.Tags, r.Tag)
	case r.Note != "":
		return noted(p.Want, r.Note)
	}
	return r.Is(p)
}

// noted tells whether a step, or a request nested in it, has the note.
func noted(r *scenario.Result, note string) bool {
	if slices.Contains(r.Notes, note) {
		return true
	}
	return slices.ContainsFunc(r.Values, func(v scenario.Value) bool {
		return v.Result != nil && noted(v.Result, note)
	})
}

// Find returns the row that allows a difference; nil if none does.
func Find(p *Place, d *compare.Difference) *Row {
	for i := range Table {
		if r := &Table[i]; r.Allows != nil && r.applies(p) && r.Allows(p, d) {
			return r
		}
	}
	return nil
}

// Refusal returns the row that allows New to refuse a scenario's configuration.
func Refusal(s *scenario.Scenario) *Row {
	for i := range Table {
		if r := &Table[i]; r.Refuses && slices.Contains(s.Tags, r.Tag) {
			return r
		}
	}
	return nil
}
