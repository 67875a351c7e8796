package linear

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/store/storetest"
)

// Check fails the test if the store is not linearizable, and prints the operations that show it.
// open is the function that [storetest.Run] takes: Store and Peers are instances with a connection
// each that keep their records in the same place. It is called once for each topic. Now and
// Advance, if they are set, are called while operations run.
func Check(t *testing.T, open func(t *testing.T) storetest.Opened, o Options) {
	t.Helper()
	topics := o.Topics
	if len(topics) == 0 {
		topics = Topics()
	}
	for _, topic := range topics {
		t.Run(string(topic), func(t *testing.T) {
			o := o
			o.Topics = []Topic{topic}
			if artifacts := flag.Lookup("test.artifacts"); o.Folder == "" && artifacts != nil && artifacts.Value.String() == "true" {
				o.Folder = t.ArtifactDir()
			}
			sum, err := verify(t.Context(), open(t), o)
			if err != nil {
				t.Error(err)
			}
			t.Log(sum)
		})
	}
}

// tally counts the operations by their outcome.
type tally struct {
	operations int
	done       [len(methods)]int
	outcomes   map[string]int
}

func (s *tally) add(history []operation) {
	if s.outcomes == nil {
		s.outcomes = map[string]int{}
	}
	s.operations += len(history)
	for _, op := range history {
		if op.answer.outcome == done {
			s.done[op.call.method]++
		}
		s.outcomes[op.call.method.String()+" "+op.answer.outcome.String()]++
	}
}

// judges reports whether enough operations have succeeded to judge the store by them.
func (s tally) judges() bool { return s.done[create] > 0 && s.done[load] > 0 && s.done[update] > 0 }

func (s tally) String() string {
	var parts []string
	for what, n := range s.outcomes {
		parts = append(parts, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d operations: %s", s.operations, strings.Join(parts, ", "))
}
