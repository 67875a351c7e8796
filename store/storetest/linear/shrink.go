package linear

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// shrinker makes a history that is not linearizable short enough to read.
type shrinker struct {
	rules rules
	until time.Time // when to be content with what has been reached
}

// wrong tells whether the operations on one id cannot be explained, whichever of the
// states they began in.
func (s shrinker) wrong(ops []operation, first ...state) bool {
	left := min(time.Until(s.until), time.Second)
	if left <= 0 {
		return false
	}
	for _, f := range first {
		if porcupine.CheckOperationsTimeout(s.rules.model(f, nil), histories(ops), left) != porcupine.Illegal {
			return false
		}
	}
	return true
}

// minimal returns the shortest part that the contract cannot explain: what went
// before does not matter to it, and all that it has is needed.
func (s shrinker) minimal(ops []operation) []operation {
	ops = s.end(ops)
	first := []state{{}}
	if part, ok := s.begin(ops); ok {
		ops, first = part, []state{{}, anything}
	}
	// What has changed nothing only says what the state was: without it, the rest has
	// more explanations.
	for i := len(ops) - 1; i >= 0; i-- {
		if ops[i].writes() {
			continue
		}
		if less := slices.Delete(slices.Clone(ops), i, i+1); s.wrong(less, first...) {
			ops = less
		}
	}
	return ops
}

// end drops what came after the answer that could not be explained any more. What was
// under way then may have taken effect.
func (s shrinker) end(ops []operation) []operation {
	ends := slices.SortedFunc(slices.Values(ops), func(a, b operation) int { return cmp.Compare(a.ended, b.ended) })
	until := func(n int) (part []operation) {
		at := ends[n].ended
		for _, op := range ops {
			if op.began > at {
				continue
			}
			if op.ended > at && op.answer.outcome != unknown {
				op.answer = answer{outcome: unknown, until: ends[len(ends)-1].answer.until, err: "still under way"}
				op.ended = ends[len(ends)-1].ended + 1
			}
			part = append(part, op)
		}
		return part
	}
	n := sort.Search(len(ends), func(n int) bool { return s.wrong(until(n), state{}) })
	if n == len(ends) {
		return ops
	}
	return until(n)
}

// begin drops what came before a moment at which nothing was under way, as late as
// possible, so that the rest is wrong whatever was kept at that moment.
func (s shrinker) begin(ops []operation) ([]operation, bool) {
	var quiet []int // where an operation begins after all before it have ended
	var ended time.Duration
	for i, op := range ops {
		if i > 0 && op.began > ended {
			quiet = append(quiet, i)
		}
		ended = max(ended, op.ended)
	}
	for _, i := range slices.Backward(quiet) {
		if s.wrong(ops[i:], state{}, anything) {
			return ops[i:], true
		}
	}
	return nil, false
}

// histories is the history as porcupine takes it.
func histories(ops []operation) []porcupine.Operation {
	all := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		all[i] = porcupine.Operation{
			ClientId: op.client,
			Input:    op.call, Call: int64(op.began),
			Output: op.answer, Return: int64(op.ended),
		}
	}
	return all
}
