package move_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/store"
)

var errNo = errors.New("no")

func TestARecordThatIsRefusedIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, to := newPlace(t), newPlace(t)
		from.put(t, "good", "", saved("ada", 1), soon)
		from.put(t, "bad", "", saved("bob", 1), soon)
		to.create = func(r store.Record) error {
			if r.ID == "bad" {
				return errNo
			}
			return nil
		}
		var told error
		m := move.New(from, to, move.Options{Left: func(_ string, _ move.Outcome, err error) { told = err }})
		if err := m.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		counted(t, m, map[move.Outcome]int64{move.Copied: 1, move.Refused: 1})
		if r := m.Report(); !errors.Is(r.Refusal, errNo) || !errors.Is(told, errNo) || r.Failed() != 1 {
			t.Errorf("the reason is %v, told %v, failed %d", r.Refusal, told, r.Failed())
		}
	})
}

func TestADestinationThatRefusesAllEndsTheCopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, to := newPlace(t), newPlace(t)
		for i := range 1000 {
			from.put(t, fmt.Sprint(i), "", saved("ada", 1), soon)
		}
		to.create = func(store.Record) error { return errNo }
		m := move.New(from, to, move.Options{})
		if err := m.Run(t.Context()); !errors.Is(err, errNo) || !contains(err, "refused the first") {
			t.Errorf("ended with %v", err)
		}
		if n := m.Report().Read; n > 100 {
			t.Errorf("%d were tried nevertheless", n)
		}
	})
}

func TestAFullDestinationEndsTheCopy(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "id", "", saved("ada", 1), soon)
	to.create = func(store.Record) error { return store.ErrFull }
	m := move.New(from, to, move.Options{})
	if err := m.Run(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("ended with %v", err)
	}
	counted(t, m, map[move.Outcome]int64{})
}

// The copy waits for a destination that is down for a while, and gives up if it stays down.
func TestDestinationThatIsDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away time.Duration
		want bool
	}{"for a while": {20 * time.Second, true}, "for good": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				from, to := newPlace(t), newPlace(t)
				from.put(t, "id", "", saved("ada", 1), time.Time{})
				back := time.Now().Add(c.away)
				down := func() error {
					if time.Now().Before(back) {
						return errNo
					}
					return nil
				}
				to.create, to.ping = func(store.Record) error { return down() }, down
				m := move.New(from, to, move.Options{})
				err := m.Run(t.Context())
				if (err == nil) != c.want || !c.want && !contains(err, "has not answered for 30s") {
					t.Errorf("away for %v: %v", c.away, err)
				}
				if c.want {
					counted(t, m, map[move.Outcome]int64{move.Copied: 1})
				}
			})
		})
	}
}

// failing is a source that fails after some records.
type failing struct {
	*place
	after int
}

func (f failing) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		n := 0
		for r, err := range f.place.List(ctx, owner) {
			if n++; n > f.after {
				yield(store.Record{}, errNo)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestASourceThatFailsIsNotTakenForItsEnd(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	for i := range 10 {
		from.put(t, fmt.Sprint(i), "", saved("ada", 1), soon)
	}
	m := move.New(failing{from, 5}, to, move.Options{})
	if err := m.Run(t.Context()); !errors.Is(err, errNo) || !contains(err, "reading the source") {
		t.Errorf("ended with %v", err)
	}
	counted(t, m, map[move.Outcome]int64{move.Copied: 5})
}

// Not more records are in progress, and in memory, than there are workers.
func TestNoMoreThanTheWorkersAreUnderWay(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	for i := range 2000 {
		from.put(t, fmt.Sprint(i), "", saved("ada", 1), soon)
	}
	var now, most atomic.Int64
	source := counting{from, func() { now.Add(1) }}
	to.create = func(store.Record) error {
		for n := now.Load(); ; {
			if was := most.Load(); n <= was || most.CompareAndSwap(was, n) {
				break
			}
		}
		now.Add(-1)
		return nil
	}
	run(t, source, to, move.Options{Workers: 3}, map[move.Outcome]int64{move.Copied: 2000})
	if most.Load() > 3+1 { // and one that waits for a worker
		t.Errorf("%d were under way at once", most.Load())
	}
}

type counting struct {
	*place
	yielded func()
}

func (c counting) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range c.place.List(ctx, owner) {
			c.yielded()
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestEndMissingEndsWhatEndedAtTheSource(t *testing.T) {
	t.Parallel()
	from, to := newPlace(t), newPlace(t)
	from.put(t, "stays", "", saved("ada", 1), soon)
	from.put(t, "logged out", "", saved("bob", 1), soon)
	run(t, from, to, move.Options{}, map[move.Outcome]int64{move.Copied: 2})
	if err := from.Delete(t.Context(), "logged out"); err != nil {
		t.Fatal(err)
	}
	m := move.New(from, to, move.Options{})
	if err := errors.Join(m.Run(t.Context()), m.EndMissing(t.Context())); err != nil {
		t.Fatal(err)
	}
	counted(t, m, map[move.Outcome]int64{move.Same: 1, move.Ended: 1})
	to.isNot(t, "logged out")
	to.is(t, "stays", "", saved("ada", 1), soon)

	empty := newPlace(t)
	m = move.New(empty, to, move.Options{})
	if err := errors.Join(m.Run(t.Context()), m.EndMissing(t.Context())); !contains(err, "the source has no sessions") {
		t.Errorf("with an empty source: %v", err)
	}
	to.is(t, "stays", "", saved("ada", 1), soon)
}
