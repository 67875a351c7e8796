package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

const (
	rounds  = 50 // how often a race is run
	callers = 8  // how many goroutines take part

	breath = 500 * time.Microsecond // between two attempts after ErrConflict
)

var concurrencyCases = []testCase{
	rule("OneWinner", "a Store must let exactly one of several Updates of one version succeed, and return ErrConflict from the others",
		func(ctx context.Context, e *env) error {
			for range rounds {
				r, err := create(ctx, e.Store, e.record())
				if err != nil {
					return err
				}
				var won atomic.Int32
				var winner atomic.Pointer[store.Record]
				err = e.together(callers, func(i int, s store.Store) error {
					mine := r
					mine.Data = doc("caller", i)
					v, err := s.Update(ctx, mine)
					if err == nil {
						mine.Version = v
						won.Add(1)
						winner.Store(&mine)
						return nil
					}
					return expect("Update", err, store.ErrConflict)
				})
				if err != nil {
					return err
				}
				if n := won.Load(); n != 1 {
					return fmt.Errorf("%d of %d Updates of one version succeeded", n, callers)
				}
				if err := e.settlesOn(ctx, *winner.Load()); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("NoneIsLost", "a Store must lose no change of callers that load, change, update and start again on ErrConflict",
		func(ctx context.Context, e *env) error {
			const each = 20
			r := e.record()
			r.Data = []byte("0")
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			err = e.together(callers, func(_ int, s store.Store) error {
				for range each {
					if err := increment(ctx, s, r.ID, r.Expires); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			r.Data, r.Version = fmt.Append(nil, callers*each), 0
			return e.settlesOn(ctx, r)
		}),

	rule("CreateOnce", "a Store must let exactly one of several Creates of one id succeed, and return ErrExists from the others",
		func(ctx context.Context, e *env) error {
			for range rounds {
				if err := e.raceToCreate(ctx, e.record()); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("CreateOnceOverExpired", "a Store must let exactly one of several Creates over an expired record succeed",
		func(ctx context.Context, e *env) error {
			var records []store.Record
			var last time.Time
			for range rounds {
				r, err := create(ctx, e.Store, e.brief())
				if err != nil {
					return err
				}
				records, last = append(records, r), r.Expires
			}
			if err := e.pass(ctx, last); err != nil {
				return err
			}
			for _, r := range records {
				r.Expires = e.hours()
				if err := e.raceToCreate(ctx, r); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("DeleteBeatsUpdate", "a Store must keep a record deleted whatever Updates run at the same time",
		func(ctx context.Context, e *env) error {
			return e.raceWithDelete(ctx, func(s store.Store, r store.Record) error {
				_, err := s.Update(ctx, r)
				return err
			})
		}),

	rule("DeleteBeatsTouch", "a Store must keep a record deleted whatever Touches run at the same time",
		func(ctx context.Context, e *env) error {
			return e.raceWithDelete(ctx, func(s store.Store, r store.Record) error {
				return s.Touch(ctx, r.ID, r.Expires.Add(time.Minute))
			})
		}),

	rule("TouchKeepsUpdate", "a Store must not undo an Update by a Touch that runs at the same time",
		func(ctx context.Context, e *env) error {
			for range rounds {
				r, err := create(ctx, e.Store, e.record())
				if err != nil {
					return err
				}
				changed := r
				changed.Data = doc("changed")
				changed.Owner = "user:changed"
				err = e.together(callers, func(i int, s store.Store) error {
					if i > 0 {
						return expect("Touch", s.Touch(ctx, r.ID, r.Expires), nil)
					}
					return update(ctx, s, changed)
				})
				if err != nil {
					return err
				}
				changed.Version = 0
				if err := e.settlesOn(ctx, changed); err != nil {
					return err
				}
			}
			return nil
		}),
}

// increment adds one to the number that is the record's data. It writes the expiry of the beginning: a
// store that keeps the time that is left reads another one, and that would add up.
func increment(ctx context.Context, s store.Store, id string, expires time.Time) error {
	for {
		r, err := s.Load(ctx, id)
		if err != nil {
			return fmt.Errorf("Load: %w", err)
		}
		var n int
		if err := json.Unmarshal(r.Data, &n); err != nil {
			return err
		}
		r.Data, r.Expires = fmt.Append(nil, n+1), expires
		_, err = s.Update(ctx, r)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("Update: %w", err)
		}
		if err := wait(ctx, breath); err != nil {
			return err
		}
	}
}

// update writes r's content over the current version.
func update(ctx context.Context, s store.Store, r store.Record) error {
	for {
		_, err := s.Update(ctx, r)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("Update: %w", err)
		}
		if err := wait(ctx, breath); err != nil {
			return err
		}
		now, err := s.Load(ctx, r.ID)
		if err != nil {
			return fmt.Errorf("Load: %w", err)
		}
		r.Version = now.Version
	}
}

// raceToCreate creates the record in several goroutines.
func (e *env) raceToCreate(ctx context.Context, r store.Record) error {
	var won atomic.Int32
	var winner atomic.Pointer[store.Record]
	err := e.together(callers, func(i int, s store.Store) error {
		mine := r
		mine.Data = doc("creator", i)
		v, err := s.Create(ctx, mine)
		if err == nil {
			mine.Version = v
			won.Add(1)
			winner.Store(&mine)
			return nil
		}
		return expect("Create", err, store.ErrExists)
	})
	if err != nil {
		return err
	}
	if n := won.Load(); n != 1 {
		return fmt.Errorf("%d of %d Creates of one id succeeded", n, callers)
	}
	return e.settlesOn(ctx, *winner.Load())
}

// raceWithDelete deletes a record in one goroutine while others work on it.
func (e *env) raceWithDelete(ctx context.Context, work func(store.Store, store.Record) error) error {
	for range rounds {
		r, err := create(ctx, e.Store, e.record())
		if err != nil {
			return err
		}
		err = e.together(callers, func(i int, s store.Store) error {
			if i == 0 {
				return expect("Delete", s.Delete(ctx, r.ID), nil)
			}
			mine := r
			mine.Data = []byte(`"` + strings.Repeat("x", i) + `"`)
			err := work(s, mine)
			if errors.Is(err, store.ErrConflict) {
				return nil // another goroutine was faster
			}
			return expectEither(err, store.ErrNotFound)
		})
		if err != nil {
			return err
		}
		for _, s := range e.nodes() {
			err := e.settled(ctx, func() error { return gone(ctx, s, r.ID) })
			if err != nil {
				return fmt.Errorf("after Delete: %w", err)
			}
		}
	}
	return nil
}

// expectEither accepts nil and the sentinel.
func expectEither(err, sentinel error) error {
	if err == nil || errors.Is(err, sentinel) {
		return nil
	}
	return fmt.Errorf("%w, want success or %q", err, sentinel)
}

// settled checks at once, and again for as long as nodes may lag behind.
func (e *env) settled(ctx context.Context, f func() error) error {
	return eventually(ctx, e.opts.Lag, f)
}

// settlesOn checks that each node returns want.
func (e *env) settlesOn(ctx context.Context, want store.Record) error {
	for _, s := range e.nodes() {
		err := e.settled(ctx, func() error { return e.holds(ctx, s, want) })
		if err != nil {
			return err
		}
	}
	return nil
}
