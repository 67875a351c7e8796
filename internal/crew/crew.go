// Package crew runs jobs concurrently, and starts none after one has failed.
package crew

import (
	"errors"
	"sync"
)

// Crew runs jobs concurrently, and starts none after one has failed.
type Crew struct {
	Size  int // 1: each job is done before Begin returns
	jobs  sync.WaitGroup
	slots chan struct{}

	mu       sync.Mutex
	err      error
	panicked any
}

func (c *Crew) Begin(job func() error) {
	if c.slots == nil {
		c.slots = make(chan struct{}, c.Size)
	}
	c.slots <- struct{}{}
	if c.Failed() {
		return
	}
	c.jobs.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				c.mu.Lock()
				c.panicked = p
				c.mu.Unlock()
			}
			<-c.slots
		}()
		if err := job(); err != nil {
			c.mu.Lock()
			c.err = errors.Join(c.err, err)
			c.mu.Unlock()
		}
	})
	if c.Size == 1 {
		c.jobs.Wait()
	}
}

func (c *Crew) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil || c.panicked != nil
}

// Wait waits for the jobs and returns their errors. If a job has panicked, Wait panics in the
// caller's goroutine, so that a server that recovers from handlers' panics recovers from this one
// too.
func (c *Crew) Wait() error {
	c.jobs.Wait()
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}
