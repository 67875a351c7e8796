package stores

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	slice = flag.Duration("slice", 0, "how long each contender works in a turn; 0: once for each caller, to see that it works")
	turns = flag.Int("turns", 15, "how many turns each contender has, with -slice")
	shown = flag.String("works", "read,write", "what is measured")
	// Each caller has sessions of its own, so that no two callers write one at once.
	visitors = flag.Int("sessions", 256, "how many sessions each contender has")
	number   = flag.String("callers", "1,32", "by how many callers at once")
)

const maxCallers = 32

// result is what a contender did in a turn.
type result struct {
	done  int
	took  time.Duration
	spent time.Duration // of CPU time
}

// run lets the callers work for as long.
func run(c contender, what work, callers int, d time.Duration) (result, error) {
	var done atomic.Int64
	var over atomic.Bool
	errs := make([]error, callers)
	used := c.uses.cpu()
	begun := time.Now()
	if d > 0 {
		timer := time.AfterFunc(d, func() { over.Store(true) })
		defer timer.Stop()
	} else {
		over.Store(true)
	}
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			n := int64(0)
			for visitor := caller; ; visitor = (visitor + callers) % *visitors {
				if errs[caller] = c.serve(what, caller, visitor); errs[caller] != nil {
					return
				}
				if n++; over.Load() {
					break
				}
			}
			done.Add(n)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return result{}, fmt.Errorf("%s: %s: %w", c.name, what, err)
		}
	}
	return result{int(done.Load()), time.Since(begun), c.uses.cpu() - used}, nil
}

// figure is what a contender did in all its turns.
type figure struct {
	perSecond float64       // median of the turns
	faster    float64       // how many times as much the first contender did in the same turn: median
	spread    [2]float64    // and its quartiles
	spent     time.Duration // of CPU time, for one
}

// compare lets the contenders work in turns, a little at a time, so that what else
// the machine does hits them alike.
func compare(contenders []contender, what work, callers int, d time.Duration, turns int) ([]figure, error) {
	results := make([][]result, len(contenders))
	for turn := range turns + 1 {
		for i := range contenders {
			// In another order each time: who comes first is not always the same.
			i := (i + turn) % len(contenders)
			r, err := run(contenders[i], what, callers, d)
			if err != nil {
				return nil, err
			}
			if turn > 0 || turns == 0 { // the first is to warm up
				results[i] = append(results[i], r)
			}
		}
	}
	figures := make([]figure, len(contenders))
	for i, own := range results {
		var rates, ratios []float64
		var sum result
		for turn, r := range own {
			rates = append(rates, r.rate())
			ratios = append(ratios, results[0][turn].rate()/r.rate())
			sum.done, sum.spent = sum.done+r.done, sum.spent+r.spent
		}
		figures[i] = figure{
			quantile(rates, 0.5), quantile(ratios, 0.5), [2]float64{quantile(ratios, 0.25), quantile(ratios, 0.75)},
			sum.spent / time.Duration(sum.done),
		}
	}
	return figures, nil
}

// rate is how many there were in a second.
func (r result) rate() float64 { return float64(r.done) / r.took.Seconds() }

// quantile of figures that need not be in order.
func quantile(all []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	at := q * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return low + (high-low)*(at-math.Floor(at))
}

// TestQuantile holds the medians to what they are said to be.
func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		all  []float64
		q    float64
		want float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 3, 2, 4}, 0.25, 2},
		{[]float64{5, 1, 3, 2, 4}, 0.75, 4},
	} {
		if got := quantile(test.all, test.q); got != test.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", test.all, test.q, got, test.want)
		}
	}
}

// sorted are the entries of a map, in one order always.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
