package session

import (
	"sync"
	"sync/atomic"
)

// gate lets the first caller do something that can fail, and everybody else see
// how it went. It is a sync.Once that can be asked.
type gate struct {
	mu    sync.Mutex
	state atomic.Uint32
	err   error
}

// The states of a gate that was tried.
const (
	passed = 1 + iota
	barred
)

func (g *gate) enter(do func() error) error {
	if g.passed() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state.Load() == 0 {
		if g.err = do(); g.err == nil {
			g.state.Store(passed)
		} else {
			g.state.Store(barred)
		}
	}
	return g.err
}

// passed reports whether it was done, and well.
func (g *gate) passed() bool { return g.state.Load() == passed }
