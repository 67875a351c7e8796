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

// schedule has work called once, after the interval. What it holds until then must not refer
// to the store, and an alarm is a part of it: work calls begin and end by itself.
func (a *alarm) schedule(s *Store, work func(*Store)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if a.timer != nil {
		a.timer.Stop() // hasten may have had the work done twice
	}
	ref := weak.Make(s)
	a.timer = time.AfterFunc(a.interval, func() {
		if s := ref.Value(); s != nil {
			work(s)
		}
	})
}

// hasten has the work done soon that is scheduled.
func (a *alarm) hasten() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil && !a.closed {
		a.timer.Reset(0)
	}
}

// begin reports whether the work may be done. If so, the caller calls end after it.
func (a *alarm) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.running.Add(1)
	}
	return !a.closed
}

func (a *alarm) end() { a.running.Done() }

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
