package simulation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

var errNetwork = errors.New("simulated: the connection broke")

// link is a node's connection to the store: a call may be slow, fail before the store gets it, or
// fail after the store has executed it.
type link struct {
	store.Store // shared by all nodes
	seed        uint64
	name        string
	calm        bool // the network is fast and without errors

	mu    sync.Mutex
	calls map[string]*chance // by call and record, see chance
}

func (l *link) chance(op, id string) *chance {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := op + " " + id
	c := l.calls[key]
	if c == nil {
		c = newChance(l.seed, l.name+" "+key)
		l.calls[key] = c
	}
	return c
}

// call makes a call, and records the result in the request for which it is made.
func (l *link) call(ctx context.Context, op, id string, do func() error) (err error) {
	c, t := l.chance(op, id), tripOf(ctx)
	defer func() {
		if err != nil && !definite(err) {
			t.lost()
		}
	}()
	if l.calm {
		if err := pause(ctx, c.wait(time.Millisecond)); err != nil {
			return err
		}
		return do()
	}
	there, back := 3*time.Millisecond, 3*time.Millisecond
	if c.in(50) {
		there = time.Second
	}
	if c.in(50) {
		back = 3 * time.Second
	}
	if err := pause(ctx, c.wait(there)); err != nil {
		return err
	}
	if c.in(20) {
		return errNetwork
	}
	err = do()
	if err := pause(ctx, c.wait(back)); err != nil {
		return err
	}
	if c.in(20) {
		return fmt.Errorf("%w, after the call", errNetwork)
	}
	return err
}

// definite reports whether an error is an answer of the store.
func definite(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (l *link) Load(ctx context.Context, id string) (r store.Record, err error) {
	err = l.call(ctx, "load", id, func() (err error) { r, err = l.Store.Load(ctx, id); return err })
	return r, err
}

func (l *link) Create(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = l.call(ctx, "create", r.ID, func() (err error) {
		v, err = l.Store.Create(ctx, r)
		tripOf(ctx).done(r, !strings.HasPrefix(r.ID, "nestsession:link:"), err)
		return err
	})
	return v, err
}

func (l *link) Update(ctx context.Context, r store.Record) (v store.Version, err error) {
	err = l.call(ctx, "update", r.ID, func() (err error) {
		v, err = l.Store.Update(ctx, r)
		tripOf(ctx).done(r, over(r.Data), err)
		return err
	})
	return v, err
}

func (l *link) Touch(ctx context.Context, id string, expires time.Time) error {
	return l.call(ctx, "touch", id, func() error { return l.Store.Touch(ctx, id, expires) })
}

func (l *link) Delete(ctx context.Context, id string) error {
	return l.call(ctx, "delete", id, func() error { return l.Store.Delete(ctx, id) })
}

// List fails like a call, before the first record.
func (l *link) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		lister, _ := store.As[store.Lister](l.Store)
		var all []store.Record
		err := l.call(ctx, "list", owner, func() error {
			for r, err := range lister.List(ctx, owner) {
				if err != nil {
					return err
				}
				all = append(all, r)
			}
			return nil
		})
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		slices.SortFunc(all, func(a, b store.Record) int { return strings.Compare(a.ID, b.ID) }) // the same in each run
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}
