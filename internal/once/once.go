// Package once is a sync.Once whose function can fail and whose state can be read.
package once

import (
	"sync"
	"sync/atomic"
)

// Gate runs the first function that it is given. That function may fail; all callers get its error.
// It is a sync.Once whose state can be read.
type Gate struct {
	mu    sync.Mutex
	state atomic.Uint32
	err   error
}

// The states of a gate whose function has run.
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

// Opened reports whether the function has run and succeeded.
func (g *Gate) Opened() bool { return g.state.Load() == passed }
