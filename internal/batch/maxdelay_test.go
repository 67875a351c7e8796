package batch_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/internal/batch"
)

// A call that waits for a batch that is not answered is sent after MaxDelay, and not before.
func TestMaxDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		for i := range 3 { // also if these batches are not answered either
			s.ask(t.Context(), t, &wg, i)
			time.Sleep(batch.DefaultMaxDelay - time.Nanosecond)
			synctest.Wait()
			if len(s.sent) > 0 {
				t.Errorf("sent %v although the most batches are in flight", <-s.sent)
			}
			time.Sleep(time.Nanosecond)
			s.mustSend(t, i)
			time.Sleep(10 * batch.DefaultMaxDelay)
		}
		s.ask(t.Context(), t, &wg, 7)
		time.Sleep(batch.DefaultMaxDelay / 2)
		s.ask(t.Context(), t, &wg, 8)
		for range inFlight + 3 {
			s.answer <- struct{}{}
		}
		s.mustSend(t, 7, 8) // by a batch that was answered
		s.answer <- struct{}{}
		wg.Wait()
		for i := range inFlight { // as many batches as before may be in flight, and no more
			s.ask(t.Context(), t, &wg, i)
			s.mustSend(t, i)
		}
		s.ask(t.Context(), t, &wg, 9)
		if len(s.sent) > 0 {
			t.Errorf("sent %v although the most batches are in flight", <-s.sent)
		}
		close(s.answer)
		wg.Wait()
	})
}

// MaxDelay counts from when the last batch was sent.
func TestMaxDelayCountsFromTheLastBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		s := busy(t, &wg)
		s.ask(t.Context(), t, &wg, 1)
		time.Sleep(batch.DefaultMaxDelay / 2)
		s.answer <- struct{}{}
		s.mustSend(t, 1)
		s.ask(t.Context(), t, &wg, 2)
		time.Sleep(batch.DefaultMaxDelay - time.Nanosecond)
		synctest.Wait()
		if len(s.sent) > 0 {
			t.Errorf("sent %v too early", <-s.sent)
		}
		time.Sleep(batch.DefaultMaxDelay)
		s.mustSend(t, 2)
		close(s.answer)
		wg.Wait()
	})
}
