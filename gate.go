package session

import "sync"

// gate lets the first caller do something that can fail, and everybody else see
// how it went. It is a sync.Once that can be asked.
type gate struct {
	mu   sync.Mutex
	done bool
	err  error
}

func (g *gate) enter(do func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.done {
		g.err = do()
		g.done = true
	}
	return g.err
}

// passed reports whether it was done, and well.
func (g *gate) passed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done && g.err == nil
}
