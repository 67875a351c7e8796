package progress_test

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/progress"
)

// screen is a writer for several goroutines.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func TestLinesWhereThereIsNoTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s screen
		var n atomic.Int64
		stop := progress.Show(&s, progress.Options{Total: 25, Noun: "sessions"}, n.Load)
		n.Store(10)
		time.Sleep(5 * time.Second) // the test's own clock
		synctest.Wait()
		n.Store(30)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		stop()
		stop()
		want := "10 of about 25 sessions, 2 per second\n30 of about 30 sessions, 3 per second\n"
		if s.text.String() != want {
			t.Errorf("wrote %q, want %q", s.text.String(), want)
		}
	})
}

func TestABarOnATerminal(t *testing.T) {
	t.Parallel()
	for name, total := range map[string]int64{"with an end": 100, "without one": 0, "with one that was too low": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s screen
				var n atomic.Int64
				stop := progress.Show(&s, progress.Options{Terminal: true, Total: total, Noun: "sessions"}, n.Load)
				for range 5 {
					n.Add(10)
					time.Sleep(time.Second)
				}
				stop()
				if text := s.text.String(); !strings.Contains(text, "50") || !strings.Contains(text, "sessions/s") {
					t.Errorf("wrote %q", text)
				}
				if text := s.text.String(); strings.Contains(text, "\n") {
					t.Errorf("more than one line: %q", text)
				}
			})
		})
	}
}
