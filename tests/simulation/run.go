package simulation

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// world is all state of one run.
type world struct {
	ctx     context.Context
	seed    uint64
	rules   rules
	plant   plant
	shared  store.Store
	nodes   []*node
	history *history
}

// users is the number of users; some use several browsers.
const users = 3

// Run runs the world of a seed under some rules and returns the broken promises, and a log of what
// happened.
func Run(t *testing.T, seed uint64, r rules, p plant) (wrong, trace []string) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{SweepInterval: -1})
		defer mem.Close()
		w := &world{ctx: t.Context(), seed: seed, rules: r, plant: p.begin(), shared: p.shared(mem), history: newHistory()}
		for range 3 {
			w.add(t, false)
		}
		var done sync.WaitGroup
		var browsers []*browser
		for i := range 5 {
			b := &browser{chance: newChance(seed, "browser "+string(rune('0'+i))), world: w, number: i, user: i % users}
			browsers = append(browsers, b)
			done.Go(func() { b.run(12) })
		}
		done.Wait()
		// What is in flight arrives.
		time.Sleep(2*grace + recheck)
		synctest.Wait()
		var all []store.Record
		for rec, err := range mem.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, rec)
		}
		w.history.settle(w.add(t, true), browsers, all)
		for _, n := range w.nodes {
			n.close()
		}
		wrong, trace = w.history.wrong, w.history.trace
	})
	return wrong, trace
}

func (w *world) add(t *testing.T, calm bool) *node {
	n, err := newNode(w, len(w.nodes), calm)
	if err != nil {
		t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	return n
}
