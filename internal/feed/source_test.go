package feed_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// server is what a source listens to.
type server struct {
	feed.Source
	log      bytes.Buffer
	down     atomic.Bool // Listen fails before it begins
	breaks   chan struct{}
	listened atomic.Int32
	now      atomic.Int32 // how many listen
}

func newServer() *server {
	s := &server{breaks: make(chan struct{})}
	s.Listen = s.listen
	s.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	s.Package, s.Where = "somestore", slog.String("table", "sessions")
	return s
}

func (s *server) listen(ctx context.Context, l *feed.Listener) error {
	s.listened.Add(1)
	s.now.Add(1)
	defer s.now.Add(-1)
	if s.down.Load() {
		return errors.New("down")
	}
	l.Begin()
	l.Working()
	l.Send(store.Event{ID: "a"})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.breaks:
		return errors.New("broken")
	}
}

// watching is one that watches.
type watching struct {
	ids  []string
	err  error
	stop context.CancelFunc
}

func (s *server) watch(t *testing.T) *watching {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{stop: cancel}
	go func() {
		w.err = s.Watch(ctx, func(e store.Event) { w.ids = append(w.ids, e.ID) })
	}()
	synctest.Wait()
	return w
}

func TestASourceListensWhileThereAreWatchers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		first := s.watch(t)
		second := s.watch(t)
		if s.now.Load() != 1 || s.listened.Load() != 1 {
			t.Errorf("%d listen, want 1", s.now.Load())
		}
		first.stop()
		synctest.Wait()
		if s.now.Load() != 1 || !errors.Is(first.err, context.Canceled) {
			t.Errorf("%d listen after one watcher of two has left (%v)", s.now.Load(), first.err)
		}
		second.stop()
		synctest.Wait()
		if s.now.Load() != 0 {
			t.Error("the source listens without watchers")
		}
		third := s.watch(t)
		if s.now.Load() != 1 || s.listened.Load() != 2 {
			t.Error("the source does not listen again")
		}
		s.Close()
		s.Close()
		synctest.Wait()
		if s.now.Load() != 0 || third.err != store.ErrClosed {
			t.Errorf("after Close, %d listen; Watch returned %v", s.now.Load(), third.err)
		}
		if err := s.Watch(t.Context(), func(store.Event) {}); err != store.ErrClosed {
			t.Errorf("Watch after Close: %v", err)
		}
	})
}

func TestASourceListensAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		w := s.watch(t)
		if !slices.Equal(w.ids, []string{""}) {
			t.Errorf("the first events are %q, want one without an ID", w.ids)
		}
		s.down.Store(true)
		s.breaks <- struct{}{}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.listened.Load(); n < 10 || n > 40 {
			t.Errorf("in a minute the source has tried %d times to listen", n)
		}
		s.down.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(w.ids, []string{"", "", "a"}) {
			t.Errorf("the events are %q, want one without an ID after the failure", w.ids)
		}
		log := s.log.String()
		if strings.Count(log, "level=WARN") != 1 || strings.Count(log, "level=INFO") != 1 ||
			!strings.Contains(log, "somestore: changes by other nodes are not reported") || !strings.Contains(log, "table=sessions error=broken") {
			t.Errorf("the log, which has to name the failure and its end once, is\n%s", log)
		}
	})
}

func TestCloseEndsAWatchThatHasNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.down.Store(true)
		w := s.watch(t)
		if w.ids != nil || w.err != nil {
			t.Errorf("Watch reports %q and returns %v before the source has begun", w.ids, w.err)
		}
		s.Close()
		synctest.Wait()
		if w.err != store.ErrClosed {
			t.Errorf("Watch returned %v", w.err)
		}
	})
}
