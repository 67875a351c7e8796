package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/internal/batch"
)

// question is answered with its own number.
type question struct{ number, answer int }

// server answers a batch when a test sends to answer.
type server struct {
	queue  *batch.Queue[question]
	sent   chan []int // the numbers in each batch
	answer chan struct{}
	ended  chan struct{} // gets a token for each canceled batch
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

// ask makes a call for each number, each in a goroutine, and returns when all wait.
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

// busy returns a server with as many batches in flight as may be, with numbers below zero.
func busy(t *testing.T, wg *sync.WaitGroup) *server {
	t.Helper()
	s := newServer()
	for i := range inFlight {
		s.ask(t.Context(), t, wg, -1-i)
		s.mustSend(t, -1-i)
	}
	return s
}

// mustSend checks the oldest batch that no test has checked yet.
func (s *server) mustSend(t *testing.T, want ...int) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-s.sent:
		if !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	default:
		t.Errorf("sent nothing, want %v", want)
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// Calls that arrive while the most batches are in flight are sent in one batch, and each gets its
// own answer.
func TestConcurrentCallsAreBatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		s.ask(t.Context(), t, &wg, upTo(maxCalls)...)
		if len(s.sent) > 0 {
			t.Errorf("sent %v although %d batches are in flight", <-s.sent, inFlight)
		}
		s.answer <- struct{}{}
		s.mustSend(t, upTo(maxCalls)...)
		close(s.answer)
		wg.Wait()
	})
}

// A queue that was busy and has emptied sends a call at once again.
func TestQueueRecoversFromLoad(t *testing.T) {
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

// A batch has at most maxCalls calls.
func TestBatchSizeIsBounded(t *testing.T) {
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

// A call that is canceled before it is sent is not sent.
func TestCanceledCallIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var canceled, wg sync.WaitGroup
		s := busy(t, &wg)
		ctx, cancel := context.WithCancel(t.Context())
		s.ask(ctx, t, &canceled, 7, 8, 9)
		s.ask(t.Context(), t, &wg, 1, 2)
		cancel()
		canceled.Wait()
		s.answer <- struct{}{}
		s.mustSend(t, 1, 2)
		close(s.answer)
		wg.Wait()
	})
}

// A batch is canceled when no caller waits for it any more, and not before.
func TestBatchWithoutCallersIsCanceled(t *testing.T) {
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
			t.Error("the batch was canceled while a caller waited for it")
		}
		endTwo()
		second.Wait()
		synctest.Wait()
		if len(s.ended) == 0 {
			t.Error("the batch was not canceled although no caller waits for it")
		}
		close(s.answer)
		wg.Wait()
	})
}

// A single call is sent unbatched, with its own context. Calls that arrive meanwhile are sent in
// batches after it.
func TestUnbatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := newServer()
		unbatched := make(chan int, 100)
		failed := errors.New("canceled by the caller")
		s.queue.Unbatched = func(ctx context.Context, q *question) bool {
			unbatched <- q.number
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
		if len(unbatched) != inFlight || <-unbatched != 7 || <-unbatched != 8 {
			t.Errorf("the two calls were not both sent unbatched")
		}
		s.ask(t.Context(), t, &wg, 1, 2, 3)
		cancel(failed)
		s.mustSend(t, 1, 2, 3)
		close(s.answer)
		wg.Wait()
		s.ask(t.Context(), t, &wg, 9)
		if len(unbatched) != 1 || <-unbatched != 9 {
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

// A call that a batch takes over long after it began returns when its context ends.
func TestContextOfACallThatWasUnbatchedForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := batch.Queue[int]{
			Unbatched: func(context.Context, *int) bool {
				time.Sleep(time.Second)
				return false
			},
			Send:        func(ctx context.Context, _ []*int) { <-ctx.Done() },
			MaxInFlight: 1,
			MaxCalls:    1,
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		if _, ok := q.Do(ctx, 1); ok || time.Since(begun) != 2*time.Second {
			t.Errorf("Do answered %v after %v, want no answer after 2s", ok, time.Since(begun))
		}
	})
}
