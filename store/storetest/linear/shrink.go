package linear

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// shrinker shortens a history that is not linearizable, so that it can be read.
type shrinker struct {
	rules rules
	until time.Time // when to stop
}

// wrong reports whether the operations on one id cannot be explained from any of the states in
// which they may have begun.
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

// minimal returns the shortest part of the history that the contract cannot explain, from whatever
// state it begins.
func (s shrinker) minimal(ops []operation) []operation {
	ops = s.end(ops)
	first := []state{{}}
	if part, ok := s.begin(ops); ok {
		ops, first = part, []state{{}, anything}
	}
	// An operation that changes nothing only restricts the state: without it, the others have more
	// explanations. If they are wrong even so, it is not needed.
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

// end drops what came after the first answer that cannot be explained. Operations that had not
// returned by then may have taken effect.
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

// begin drops what came before a moment at which no operation was in flight, as late as possible,
// as long as the rest is wrong from every state.
func (s shrinker) begin(ops []operation) ([]operation, bool) {
	var quiet []int // here an operation begins after all earlier ones have ended
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

// histories returns the history in porcupine's form.
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
