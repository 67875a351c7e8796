// Package once is a sync.Once whose function can fail, and that can be asked.
package once

import (
	"sync"
	"sync/atomic"
)

// Gate lets the first caller do something that can fail, and everybody else see
// how it went. It is a sync.Once that can be asked.
type Gate struct {
	mu    sync.Mutex
	state atomic.Uint32
	err   error
}

// The states of a gate that was tried.
const (
	passed = 1 + iota
	barred
)

func (g *Gate) Do(do func() error) error {
	if g.Opened() {
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

// Opened reports whether it was done, and well.
func (g *Gate) Opened() bool { return g.state.Load() == passed }
