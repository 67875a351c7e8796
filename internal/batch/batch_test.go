package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nestsession/session/internal/batch"
)

// question is one whose answer is its own number.
type question struct{ number, answer int }

// server answers inFlight when it is told to.
type server struct {
	queue  *batch.Queue[question]
	sent   chan []int // the numbers that went maxCalls
	answer chan struct{}
	ended  chan struct{} // a trip was canceled
}

const (
	inFlight = 2
	maxCalls = 10
)

func newServer() *server {
	s := &server{sent: make(chan []int, 100), answer: make(chan struct{}), ended: make(chan struct{}, 100)}
	s.queue = &batch.Queue[question]{MaxInFlight: inFlight, MaxCalls: maxCalls, Send: func(ctx context.Context, all []*question) {
		var numbers []int
		for _, q := range all {
			numbers = append(numbers, q.number)
		}
		slices.Sort(numbers)
		s.sent <- numbers
		select {
		case <-s.answer:
		case <-ctx.Done():
			s.ended <- struct{}{}
		}
		for _, q := range all {
			q.answer = q.number
		}
	}}
	return s
}

// ask has callers ask, with a number each, and returns when all wait.
func (s *server) ask(ctx context.Context, t *testing.T, wg *sync.WaitGroup, numbers ...int) {
	for _, n := range numbers {
		wg.Go(func() {
			q, ok := s.queue.Do(ctx, question{number: n})
			if ok != (ctx.Err() == nil) || ok && q != (question{n, n}) {
				t.Errorf("%d was answered with %v, %v", n, q, ok)
			}
		})
	}
	synctest.Wait()
}

// busy has as many inFlight on their way as may be, of numbers below zero.
func busy(t *testing.T, wg *sync.WaitGroup) *server {
	t.Helper()
	s := newServer()
	for i := range inFlight {
		s.ask(t.Context(), t, wg, -1-i)
		s.mustSend(t, -1-i)
	}
	return s
}

// mustSend compares what was sent last.
func (s *server) mustSend(t *testing.T, want ...int) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-s.sent:
		if !slices.Equal(got, want) {
			t.Errorf("%v were sent maxCalls, want %v", got, want)
		}
	default:
		t.Errorf("nothing was sent, want %v", want)
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// Calls that come while others are on their way go maxCalls, and each gets its own
// answer.
func TestCallsGoTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		s.ask(t.Context(), t, &wg, upTo(maxCalls)...)
		if len(s.sent) > 0 {
			t.Errorf("%v were sent although %d inFlight are on their way", <-s.sent, inFlight)
		}
		s.answer <- struct{}{}
		s.mustSend(t, upTo(maxCalls)...)
		close(s.answer)
		wg.Wait()
	})
}

// A line that was busy is as it was at first.
func TestNobodyIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		for range 2 * inFlight {
			for range inFlight {
				s.answer <- struct{}{}
			}
			wg.Wait()
			for i := range inFlight {
				s.ask(t.Context(), t, &wg, i)
				s.mustSend(t, i)
			}
		}
		close(s.answer)
		wg.Wait()
	})
}

// No trip takes more than its most.
func TestTripIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		for i := range maxCalls + 7 {
			s.ask(t.Context(), t, &wg, i)
		}
		s.answer <- struct{}{}
		s.mustSend(t, upTo(maxCalls)...)
		s.answer <- struct{}{}
		s.mustSend(t, upTo(maxCalls + 7)[maxCalls:]...)
		close(s.answer)
		wg.Wait()
	})
}

// A caller who has given up before his turn is not sent any more.
func TestWhoLeavesTheLineIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var left, wg sync.WaitGroup
		s := busy(t, &wg)
		ctx, cancel := context.WithCancel(t.Context())
		s.ask(ctx, t, &left, 7, 8, 9)
		s.ask(t.Context(), t, &wg, 1, 2)
		cancel()
		left.Wait()
		s.answer <- struct{}{}
		s.mustSend(t, 1, 2)
		close(s.answer)
		wg.Wait()
	})
}

// A trip ends when nobody waits for it any more, and not before.
func TestTripOfNobodyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first, second, wg sync.WaitGroup
		s := busy(t, &wg)
		one, endOne := context.WithCancel(t.Context())
		two, endTwo := context.WithCancel(t.Context())
		defer endTwo()
		s.ask(one, t, &first, 1)
		s.ask(two, t, &second, 2)
		s.answer <- struct{}{}
		s.mustSend(t, 1, 2)
		endOne()
		first.Wait()
		synctest.Wait()
		if len(s.ended) > 0 {
			t.Error("the trip ended while somebody waited for it")
		}
		endTwo()
		second.Wait()
		synctest.Wait()
		if len(s.ended) == 0 {
			t.Error("the trip goes on although nobody waits for it")
		}
		close(s.answer)
		wg.Wait()
	})
}

// A single call is sent unbatched, within its own context, and calls that come meanwhile
// are sent in batches of maxCalls after it.
func TestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := newServer()
		alone := make(chan int, 100)
		failed := errors.New("it is over")
		s.queue.Unbatched = func(ctx context.Context, q *question) bool {
			alone <- q.number
			select {
			case <-s.answer:
				q.answer = q.number
			case <-ctx.Done():
				if context.Cause(ctx) != failed {
					t.Errorf("the context ended with %v", context.Cause(ctx))
				}
			}
			return true
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		wg.Go(func() {
			if q, ok := s.queue.Do(ctx, question{number: 7}); !ok || q.answer != 0 {
				t.Errorf("a single call that was canceled: %v, %v", q, ok)
			}
		})
		synctest.Wait()
		s.ask(t.Context(), t, &wg, 8)
		if len(alone) != inFlight || <-alone != 7 || <-alone != 8 {
			t.Errorf("the two calls were not both sent unbatched")
		}
		s.ask(t.Context(), t, &wg, 1, 2, 3)
		cancel(failed)
		s.mustSend(t, 1, 2, 3)
		close(s.answer)
		wg.Wait()
		s.ask(t.Context(), t, &wg, 9)
		if len(alone) != 1 || <-alone != 9 {
			t.Errorf("a later call was not sent unbatched")
		}
		wg.Wait()
	})
}

// A call that Unbatched does not answer is sent like any other, and leaves the queue as it
// was.
func TestUnbatchedDeclines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := newServer()
		s.queue.Unbatched = func(context.Context, *question) bool { return false }
		for range 2 {
			for i := range inFlight {
				s.ask(t.Context(), t, &wg, i)
				s.mustSend(t, i)
			}
			s.ask(t.Context(), t, &wg, 7)
			if len(s.sent) > 0 {
				t.Errorf("%v were sent although %d batches are in flight", <-s.sent, inFlight)
			}
			s.answer <- struct{}{}
			s.mustSend(t, 7)
			for range inFlight {
				s.answer <- struct{}{}
			}
			wg.Wait()
		}
	})
}

// A call whose context has ended is not sent.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	s := newServer()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if q, ok := s.queue.Do(ctx, question{number: 1}); ok || len(s.sent) > 0 {
		t.Errorf("%+v, %v, %d sent", q, ok, len(s.sent))
	}
}
