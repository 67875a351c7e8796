package simulation

import (
	"flag"
	"strings"
	"testing"
)

var (
	seeds = flag.Int("seeds", 600, "how many worlds to run by each rules")
	first = flag.Uint64("seed", 1, "the seed of the first of them")
)

// TestPromisesHold runs worlds of chance. One that breaks a promise is run again by
// itself: go test ./internal/simulation -run PromisesHold/native -seed=N -seeds=1 -v
func TestPromisesHold(t *testing.T) {
	t.Parallel()
	for _, rules := range []rules{native, expressPreset} {
		t.Run(string(rules), func(t *testing.T) {
			t.Parallel()
			for seed := *first; seed < *first+uint64(*seeds); seed++ {
				wrong, trace := Run(t, seed, rules, plant{})
				if *seeds == 1 {
					t.Log(strings.Join(trace, "\n"))
				}
				if len(wrong) > 0 {
					t.Fatalf("seed %d:\n%s", seed, strings.Join(wrong, "\n"))
				}
			}
		})
	}
}

// A seed is the same world each time.
func TestSeedIsRepeatable(t *testing.T) {
	t.Parallel()
	for _, rules := range []rules{native, expressPreset} {
		for seed := range uint64(10) {
			_, one := Run(t, seed, rules, plant{})
			_, two := Run(t, seed, rules, plant{})
			for i := range max(len(one), len(two)) {
				if i >= len(one) || i >= len(two) || one[i] != two[i] {
					t.Fatalf("%s, seed %d, line %d:\n%s\n%s", rules, seed, i, one[min(i, len(one)-1)], two[min(i, len(two)-1)])
				}
			}
		}
	}
}
