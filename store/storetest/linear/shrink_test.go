package linear

import (
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// script returns a history of operations that follow each other, a millisecond each.
func script(ops ...operation) []operation {
	for i := range ops {
		ops[i].call.id = "a"
		ops[i].began = time.Duration(2*i) * time.Millisecond
		if ops[i].ended == 0 {
			ops[i].ended = ops[i].began + time.Millisecond
		}
	}
	return ops
}

func wrote(m method, c content, basis, v store.Version) operation {
	return operation{call: call{method: m, content: c, expires: hour, version: basis}, answer: answer{version: v}}
}

func read(c content, v store.Version) operation {
	return operation{answer: answer{content: c, expires: hour, version: v}}
}

var missed = operation{answer: answer{outcome: notFound}}

func TestMinimal(t *testing.T) {
	t.Parallel()
	deleted := operation{call: call{method: remove}}
	slow := wrote(update, blue, 1, 2)
	slow.ended = 100 * time.Millisecond
	for name, test := range map[string]struct {
		history []operation
		want    []int // the indexes of the remaining operations
	}{
		"a revival": {
			script(wrote(create, red, 0, 1), read(red, 1), deleted, missed, read(red, 1), deleted, missed),
			[]int{2, 4}, // that nothing was found in between adds nothing
		},
		"a lost update": {
			script(wrote(create, red, 0, 1), read(red, 1), wrote(update, blue, 1, 2), read(red, 1)),
			[]int{2, 3},
		},
		"from the beginning": {
			script(read(red, 1), wrote(create, red, 0, 1)),
			[]int{0},
		},
		"beside a slow one": {
			script(wrote(create, red, 0, 1), slow, read(blue, 2), missed, read(blue, 2)),
			[]int{1, 2, 3}, // it may have taken effect
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shrinker{until: time.Now().Add(time.Minute)}
			if !s.wrong(test.history, state{}) {
				t.Fatal("the history is right")
			}
			got := s.minimal(test.history)
			if len(got) != len(test.want) {
				t.Fatalf("%d operations are left, want %d: %+v", len(got), len(test.want), got)
			}
			for i, n := range test.want {
				if got[i].began != test.history[n].began {
					t.Errorf("operation %d began at %v, want %v", i, got[i].began, test.history[n].began)
				}
			}
		})
	}
}
