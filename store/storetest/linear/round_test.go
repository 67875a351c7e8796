package linear

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

func TestGateOpensWhenAllHaveCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const clients = 3
		g := newGate(clients)
		passed := make(chan int, 2*clients)
		for round := range 2 {
			for i := range clients {
				synctest.Wait()
				if n := len(passed); n != round*clients {
					t.Fatalf("%d have passed when %d of %d have come for round %d", n, i, clients, round)
				}
				go func() {
					if err := g.pass(t.Context()); err == nil {
						passed <- i
					}
				}()
			}
			synctest.Wait()
			if n := len(passed); n != (round+1)*clients {
				t.Fatalf("%d have passed, want %d", n, (round+1)*clients)
			}
		}
	})
}

// All clients begin a step at the same time: none begins before the slowest has arrived.
func TestClientsBeginAStepAtTheSameTime(t *testing.T) {
	t.Parallel()
	history := recorded(t, func(i *instance) {
		create := i.create
		i.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			pause()
			return create(ctx, r)
		}
	})
	steps := map[int]int{}
	var created time.Duration
	for _, op := range history {
		if steps[op.client]++; steps[op.client] == 1 {
			created = max(created, op.ended)
		}
	}
	clear(steps)
	for _, op := range history {
		if steps[op.client]++; steps[op.client] == 2 && op.began < created {
			t.Errorf("client %d began its second operation at %v, before the last had ended its first at %v", op.client, op.began, created)
		}
	}
}

// The work is spread over the instances, and each instance reads the final records.
func TestEveryInstanceIsUsed(t *testing.T) {
	t.Parallel()
	created, loaded := map[int]bool{}, map[int]bool{}
	for _, op := range recorded(t, func(*instance) {}) {
		switch op.call.method {
		case create:
			created[op.node] = true
		case load:
			loaded[op.node] = true
		}
	}
	if len(created) != 3 || len(loaded) != 3 {
		t.Errorf("instances %v create and %v load, want all three", created, loaded)
	}
}

// While records live for hours, no two expiries are in the same minute, so that a lost touch shows
// whatever precision a store has.
func TestExpiriesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[int64]bool{}
	var asked int
	for _, op := range recorded(t, func(*instance) {}) {
		if m := op.call.method; m == create || m == update || m == touch {
			asked++
			seen[op.call.expires/int64(30*time.Second)] = true
		}
	}
	if asked < 10 || len(seen) != asked {
		t.Errorf("%d expiries fall into %d half minutes, want each in one of its own", asked, len(seen))
	}
}

func recorded(t *testing.T, bend func(*instance)) []operation {
	t.Helper()
	store := opened(bend)
	o, err := Options{}.withDefaults(storetest.Opened{})
	if err != nil {
		t.Fatal(err)
	}
	history, err := record(t.Context(), store, o, Swaps, 0, "x")
	if err != nil {
		t.Fatal(err)
	}
	return history
}
