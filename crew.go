package session

import (
	"errors"
	"sync"
)

// crew does jobs, several at a time, and begins none after one has failed.
type crew struct {
	size  int // 1: each job is done before begin returns
	jobs  sync.WaitGroup
	slots chan struct{}

	mu       sync.Mutex
	err      error
	panicked any
}

func (c *crew) begin(job func() error) {
	if c.slots == nil {
		c.slots = make(chan struct{}, c.size)
	}
	c.slots <- struct{}{}
	if c.failed() {
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
	if c.size == 1 {
		c.jobs.Wait()
	}
}

func (c *crew) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil || c.panicked != nil
}

// wait waits for the jobs, and returns their errors. The caller panics as a job has, so
// that a server that recovers from a handler's panic does so.
func (c *crew) wait() error {
	c.jobs.Wait()
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}
