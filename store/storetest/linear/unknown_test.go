package linear

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

var errCut = errors.New("connection cut")

// faulty loses the answers of some writes: of writes that took effect, of writes that did not, and
// of writes that take effect later.
func faulty(i *instance, later *sync.WaitGroup) {
	var n atomic.Int64
	fate := func(write func() (store.Version, error)) (store.Version, error) {
		switch n.Add(1) % 20 {
		case 0:
			return 0, errCut
		case 5:
			_, _ = write()
			return 0, errCut
		case 10:
			later.Go(func() {
				pause()
				_, _ = write()
			})
			return 0, context.DeadlineExceeded
		}
		return write()
	}
	create, update, touch, remove := i.create, i.update, i.touch, i.delete
	i.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		return fate(func() (store.Version, error) { return create(ctx, r) })
	}
	i.update = func(ctx context.Context, r store.Record) (store.Version, error) {
		return fate(func() (store.Version, error) { return update(ctx, r) })
	}
	i.touch = func(ctx context.Context, id string, expires time.Time) error {
		_, err := fate(func() (store.Version, error) { return 0, touch(ctx, id, expires) })
		return err
	}
	i.delete = func(ctx context.Context, id string) error {
		_, err := fate(func() (store.Version, error) { return 0, remove(ctx, id) })
		return err
	}
}

// The effect of an operation without an answer is not judged, but the other answers are.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	var later sync.WaitGroup
	t.Cleanup(later.Wait)
	lossy := func(bend func(*instance)) storetest.Opened {
		return opened(func(i *instance) {
			bend(i)
			faulty(i, &later)
		})
	}
	right := func(*instance) {}
	if err := Verify(t.Context(), lossy(right), Options{Unknown: 40, Clients: 4, Rounds: 10}); err != nil {
		t.Errorf("a store that keeps the contract, but for lost answers: %v", err)
	}
	if err := Verify(t.Context(), lossy(flaws[0].bend), Options{Unknown: -1, Clients: 4, Folder: t.TempDir()}); !isViolation(err, "not linearizable") {
		t.Errorf("a store that loses updates, and answers: %v", err)
	}
	if err := Verify(t.Context(), lossy(right), Options{Folder: t.TempDir()}); !isViolation(err, "Options.Unknown allows 0") {
		t.Errorf("lost answers that are not allowed: %v", err)
	}
}

// A store that answers nothing does not pass.
func TestStoreThatAnswersNothingFails(t *testing.T) {
	t.Parallel()
	err := Verify(t.Context(), opened(func(i *instance) {
		i.load = func(context.Context, string) (store.Record, error) { return store.Record{}, errCut }
		i.create = func(context.Context, store.Record) (store.Version, error) { return 0, errCut }
		i.update, i.touch = i.create, func(context.Context, string, time.Time) error { return errCut }
		i.delete = func(context.Context, string) error { return errCut }
	}), Options{Unknown: -1, Steps: 2, Rounds: 1, Clients: 2})
	if err == nil || !strings.Contains(err.Error(), "too few operations succeeded") {
		t.Errorf("a store of which every call fails: %v", err)
	}
}

// Disturb runs concurrently with the clients, and the round waits for it.
func TestDisturb(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	var rounds, running atomic.Int64
	flaky := func(i *instance) {
		touch := i.touch
		i.touch = func(ctx context.Context, id string, expires time.Time) error {
			if cut.Load() {
				return errCut
			}
			return touch(ctx, id, expires)
		}
	}
	err := Verify(t.Context(), opened(flaky), Options{
		Unknown: -1, Clients: 2, Rounds: 3, Topics: []Topic{Swaps},
		Disturb: func(ctx context.Context) {
			rounds.Add(1)
			if running.Add(1) != 1 {
				t.Error("two rounds are disturbed at once")
			}
			defer running.Add(-1)
			for ctx.Err() == nil {
				pause()
				cut.Store(!cut.Load())
			}
		},
	})
	if err != nil || rounds.Load() != 3 || running.Load() != 0 {
		t.Errorf("%v; %d rounds were disturbed, %d still are, want 3 and 0", err, rounds.Load(), running.Load())
	}
}

func isViolation(err error, reason string) bool {
	var v *Violation
	return errors.As(err, &v) && strings.Contains(v.Reason, reason)
}
