package memstore

import (
	"sync"
	"time"
	"weak"
)

// alarm runs work of a store from time to time. Between two runs there is a timer and no
// goroutine, and the timer does not prevent the store from being garbage collected.
type alarm struct {
	interval time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	closed  bool
	running sync.WaitGroup
}

// schedule has work run once, after the interval.
func (a *alarm) schedule(s *Store, work func(*Store)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	ref := weak.Make(s)
	a.timer = time.AfterFunc(a.interval, func() {
		if s := ref.Value(); s != nil {
			a.run(s, work)
		}
	})
}

func (a *alarm) run(s *Store, work func(*Store)) {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	a.running.Add(1)
	a.mu.Unlock()
	defer a.running.Done()
	work(s)
}

// close stops the timer and waits for work that is being done.
func (a *alarm) close() {
	a.mu.Lock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.running.Wait()
}
