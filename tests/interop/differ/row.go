// Package differ has the table of the intended differences between the library and express-session.
package differ

import (
	"slices"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Row is one intended difference. It applies to scenarios with the tag, to steps with the note, or
// to requests for which the rule holds; never to a scenario by its name.
type Row struct {
	Tag  string              // "quirk:..." of the scenario
	Note string              // of the step
	Rule string              // the rule in words
	Is   func(p *Place) bool // and as a function

	Differs string // what may differ
	Reason  string

	// Allows reports whether the row allows a difference.
	Allows func(p *Place, d *compare.Difference) bool
	// Refuses is set if New may refuse the configuration.
	Refuses bool
}

// Place is where a difference was found.
type Place struct {
	Scenario *scenario.Scenario
	Step     *scenario.Step
	Before   scenario.Store   // of the stores when the step began
	Want     *scenario.Result // of the step
	Got      *scenario.Result
}

// Key returns the tag, note or rule of the row.
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

// noted reports whether a step, or a nested request, has the note.
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
