package goroutine

import (
	"sync"
	"testing"
)

// Two wait, and a goroutine ends the process.
func TestStarts(t *testing.T) {
	t.Parallel()
	both.Done()
	both.Wait()
	go panic("boom of a goroutine")
	select {}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	both.Done()
	select {}
}

var both sync.WaitGroup

func init() { both.Add(2) }
