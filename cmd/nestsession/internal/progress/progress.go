// Package progress shows the progress of a long command: a bar on a terminal, otherwise a line at
// intervals.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	barInterval  = 100 * time.Millisecond
	lineInterval = 5 * time.Second
)

// Options say what is shown.
type Options struct {
	// Terminal shows a bar in place of lines.
	Terminal bool

	// Total is the approximate number of items; 0: unknown.
	Total int64

	// Noun is the name of the items: "sessions".
	Noun string

	// Interval is the time between two lines. 0: five seconds.
	Interval time.Duration
}

// Show prints the progress until the returned function is called, which clears the bar.
func Show(w io.Writer, o Options, done func() int64) (stop func()) {
	ended := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		if o.Terminal {
			bar(w, o, done, ended)
		} else {
			lines(w, o, done, ended)
		}
	})
	return sync.OnceFunc(func() { close(ended); showing.Wait() })
}

func bar(w io.Writer, o Options, done func() int64, ended <-chan struct{}) {
	total := o.Total
	if total <= 0 {
		total = -1 // a spinner
	}
	b := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(o.Noun),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(barInterval),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0), // without a goroutine of its own, which would outlive the bar
	)
	tick := time.NewTicker(barInterval)
	defer tick.Stop()
	for {
		n := done()
		if total > 0 && n >= total {
			total = n + 1 // more may come, and a full bar would look finished
			b.ChangeMax64(total)
		}
		_ = b.Set64(n) // an error of the output is ignored: only the bar is lost
		select {
		case <-tick.C:
		case <-ended:
			_ = b.Clear()
			return
		}
	}
}

func lines(w io.Writer, o Options, done func() int64, ended <-chan struct{}) {
	interval := o.Interval
	if interval <= 0 {
		interval = lineInterval
	}
	begun := time.Now()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ended:
			return
		}
		n := done()
		of := ""
		if o.Total > 0 {
			of = fmt.Sprintf(" of about %d", max(o.Total, n))
		}
		fmt.Fprintf(w, "%d%s %s, %.0f per second\n", n, of, o.Noun, float64(n)/time.Since(begun).Seconds())
	}
}
