package simulation

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// world is everything of one run.
type world struct {
	ctx     context.Context
	nodes   []*node
	history *history
}

// Run runs the world of a seed and returns what promises it found broken, and what has
// happened.
func Run(t *testing.T, seed uint64, p plant) (wrong, trace []string) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{SweepInterval: -1})
		defer mem.Close()
		shared := p.shared(mem)
		h := &history{began: time.Now(), logins: map[int]*login{}, revoking: map[int]int{}}
		w := &world{ctx: t.Context(), history: h}
		var ids atomic.Int64
		for i := range 3 {
			w.add(t, seed, i, shared, &ids, p, false)
		}
		var done sync.WaitGroup
		for i := range 5 {
			b := &browser{chance: newChance(seed, "browser "+string(rune('0'+i))), world: w, number: i, user: i % 3}
			done.Go(func() { b.run(12) })
		}
		done.Wait()
		// The old ids' grace ends, and what was on its way arrives.
		time.Sleep(2*grace + recheck)
		synctest.Wait()
		calm := w.add(t, seed, len(w.nodes), shared, &ids, p, true)
		h.settle(func(cookie, path string) *http.Response { return visit(calm, cookie, path) })
		for _, n := range w.nodes {
			n.close()
		}
		wrong, trace = h.wrong, h.trace
	})
	return wrong, trace
}

func (w *world) add(t *testing.T, seed uint64, index int, shared store.Store, ids *atomic.Int64, p plant, calm bool) *node {
	n, err := newNode(seed, index, shared, ids, p, calm)
	if err != nil {
		t.Fatal(err)
	}
	n.streams = func(login int, ctx context.Context) { w.history.follow(login, index, ctx) }
	w.nodes = append(w.nodes, n)
	return n
}
