package main

import (
	"fmt"
	"io"
	"time"
)

// silence is how long a run prints nothing before it reports its progress. A watcher
// gives up after 20 seconds.
const silence = 10 * time.Second

// pulse is a writer that records the time of its last write, and completes each line that it
// begins. It is for one goroutine.
type pulse struct {
	w     io.Writer
	began time.Time
	last  time.Time
	open  bool // the last line has not ended
}

func newPulse(w io.Writer) *pulse {
	now := time.Now()
	return &pulse{w: w, began: now, last: now}
}

// Write implements [io.Writer].
func (p *pulse) Write(text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil
	}
	p.last = time.Now()
	p.open = text[len(text)-1] != '\n'
	return p.w.Write(text)
}

// endLine ends the current line, if it has begun.
func (p *pulse) endLine() {
	if p.open {
		fmt.Fprintln(p)
	}
}

// beat reports the progress of the run, if it has been silent.
func (p *pulse) beat(at func() string) {
	if time.Since(p.last) < silence {
		return
	}
	fmt.Fprintf(p, "....  %s\n", at())
}

// ran returns how long the run has lasted.
func (p *pulse) ran() time.Duration { return time.Since(p.began).Round(time.Second) }

// during calls beat until done is closed or has a value.
func during[T any](p *pulse, done <-chan T, at func() string) (T, bool) {
	tick := time.NewTicker(silence / 5)
	defer tick.Stop()
	for {
		select {
		case v, ok := <-done:
			return v, ok
		case <-tick.C:
			p.beat(at)
		}
	}
}
