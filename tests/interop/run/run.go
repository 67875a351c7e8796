// Package run replays scenarios and reports whether each passes, fails, or differs on purpose.
package run

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/differ"
	"github.com/nestsession/session/tests/interop/engine"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Verdict is the result of a scenario.
type Verdict int

// The verdicts.
const (
	Passed Verdict = iota
	OnPurpose
	Failed
)

// Finding is one difference.
type Finding struct {
	Step       int // index
	Difference compare.Difference
	Row        *differ.Row // the reason if it is intended; nil if not
}

// Outcome is the result of replaying a scenario.
type Outcome struct {
	Name     string
	Findings []Finding
	Refused  *differ.Row // New refused the configuration, as the table allows
	Err      error       // it could not be replayed to the end
}

// Verdict returns the result of the scenario.
func (o *Outcome) Verdict() Verdict {
	if o.Err != nil && o.Refused == nil {
		return Failed
	}
	verdict := Passed
	if o.Refused != nil {
		verdict = OnPurpose
	}
	for _, f := range o.Findings {
		if f.Row == nil {
			return Failed
		}
		verdict = OnPurpose
	}
	return verdict
}

// All replays scenarios, several concurrently, and returns the outcomes in their order.
func All(cases []scenario.Case) []Outcome {
	outcomes := make([]Outcome, len(cases))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(cases)) {
		workers.Go(func() {
			for i := range next {
				outcomes[i] = One(cases[i])
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	workers.Wait()
	return outcomes
}

// One replays a scenario. After a step with differences, the state is set to that of
// express-session, so that each step is judged by itself.
func One(c scenario.Case) Outcome {
	out := Outcome{Name: c.Name, Err: c.Err}
	if c.Err != nil {
		return out
	}
	w, err := engine.New(c.Scenario)
	if err != nil {
		out.Err = fmt.Errorf("the library refuses the configuration: %w", err)
		out.Refused = differ.Refusal(c.Scenario)
		return out
	}
	defer w.Close()
	var before scenario.Store
	for i := range c.Scenario.Steps {
		step, want := &c.Scenario.Steps[i], &c.Expected[i]
		jars := w.Jars()
		start := w.Now().Add(step.Advance)
		got, err := w.Step(step, want)
		if err != nil {
			out.Err = fmt.Errorf("step %d: %w", i+1, err)
			return out
		}
		w.Expect(want)
		found := compare.Results(before, want, got)
		place := differ.Place{Scenario: c.Scenario, Step: step, Before: before, Want: want, Got: got}
		for _, d := range found {
			out.Findings = append(out.Findings, Finding{i, d, differ.Find(&place, &d)})
		}
		before = want.Store
		if len(found) == 0 {
			continue
		}
		if err := w.Resync(step, want, jars, start); err != nil {
			out.Err = fmt.Errorf("after step %d: %w", i+1, err)
			return out
		}
	}
	return out
}
