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
	slice  = flag.Duration("slice", 0, "how long each contender works in a turn; 0: once for each caller, to see that it works")
	turns  = flag.Int("turns", 15, "how many turns each contender has, with -slice")
	shown  = flag.String("works", "read,write", "what is measured")
	number = flag.String("callers", "1,32", "by how many callers at once")
)

const maxCallers = 32

// run lets the callers work for as long, and returns how often they did it in a second.
func run(c contender, what work, callers int, d time.Duration) (float64, error) {
	var done atomic.Int64
	var over atomic.Bool
	errs := make([]error, callers)
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
			for visitor := caller; ; visitor = (visitor + callers) % visitors {
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
			return 0, fmt.Errorf("%s: %s: %w", c.name, what, err)
		}
	}
	return float64(done.Load()) / time.Since(begun).Seconds(), nil
}

// figure is what a contender did in its turns.
type figure struct {
	perSecond float64    // median of the turns
	ratio     float64    // of the first contender's figure in the same turn to this one's: median
	spread    [2]float64 // and its quartiles
}

// compare lets the contenders work in turns, a little at a time, so that what else
// the machine does hits them alike.
func compare(contenders []contender, what work, callers int, d time.Duration, turns int) ([]figure, error) {
	rates := make([][]float64, len(contenders))
	for turn := range turns + 1 {
		for i := range contenders {
			// In another order each time: who comes first is not always the same.
			i := (i + turn) % len(contenders)
			rate, err := run(contenders[i], what, callers, d)
			if err != nil {
				return nil, err
			}
			if turn > 0 || turns == 0 { // the first is to warm up
				rates[i] = append(rates[i], rate)
			}
		}
	}
	figures := make([]figure, len(contenders))
	for i, own := range rates {
		ratios := make([]float64, len(own))
		for turn := range own {
			ratios[turn] = rates[0][turn] / own[turn]
		}
		figures[i] = figure{quantile(own, 0.5), quantile(ratios, 0.5), [2]float64{quantile(ratios, 0.25), quantile(ratios, 0.75)}}
	}
	return figures, nil
}

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
