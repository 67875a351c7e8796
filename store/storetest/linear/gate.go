package linear

import (
	"context"
	"sync"
)

// gate is a barrier: it lets its clients through when all of them have arrived. It can be used
// repeatedly.
type gate struct {
	mu      sync.Mutex
	clients int
	came    int
	open    chan struct{} // closed when the last one arrives
}

func newGate(clients int) *gate {
	return &gate{clients: clients, open: make(chan struct{})}
}

// pass waits for the others, or for the end of ctx.
func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	if g.came++; g.came == g.clients {
		g.came, g.open = 0, make(chan struct{})
		close(open)
	}
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
