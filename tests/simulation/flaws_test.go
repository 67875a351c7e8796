package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// flaws is a store with one of several bugs.
type flaws struct {
	store.Store
	touchRevives, oldIDLives, indexLoses, overwrites, creates, swaps, loses, endsUnseen bool

	mu    sync.Mutex
	calls int
	last  map[string]store.Record // for each id, the last record of a live session
	moved map[string]time.Time    // when a renewal replaced an id
}

func flawed(set func(*flaws)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		f := &flaws{Store: s, last: map[string]store.Record{}, moved: map[string]time.Time{}}
		set(f)
		return f
	}
}

func (f *flaws) Unwrap() store.Store { return f.Store }

// turn returns true in every n-th call.
func (f *flaws) turn(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls%n == 0
}

func (f *flaws) note(r store.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left := left(r.Data); left.Successor != "" && !left.Login {
		f.moved[strings.TrimPrefix(r.ID, "nestsession:link:")] = time.Now()
		f.moved[r.ID] = time.Now()
	}
	if r.Expires.After(time.Now()) && !over(r.Data) {
		f.last[r.ID] = r
	}
}

func (f *flaws) revive(ctx context.Context, id string, at time.Time) error {
	f.mu.Lock()
	r, ok := f.last[id]
	f.mu.Unlock()
	if !ok {
		return store.ErrNotFound
	}
	r.Expires = at
	now, err := f.Store.Load(ctx, id)
	if r.Version = now.Version; err != nil {
		_, err = f.Store.Create(ctx, r)
		return err
	}
	_, err = f.Store.Update(ctx, r)
	return err
}

func (f *flaws) Load(ctx context.Context, id string) (store.Record, error) {
	if f.swaps && f.turn(50) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for other, r := range f.last {
			if other != id && r.Owner != "" {
				r.ID = id
				return r, nil
			}
		}
	}
	f.mu.Lock()
	moved, ok := f.moved[id]
	f.mu.Unlock()
	if f.endsUnseen && ok && time.Since(moved) > grace {
		return store.Record{}, store.ErrNotFound
	}
	return f.Store.Load(ctx, id)
}

func (f *flaws) Create(ctx context.Context, r store.Record) (store.Version, error) {
	f.note(r)
	if f.loses && f.turn(10) {
		return 1, nil
	}
	return f.Store.Create(ctx, r)
}

func (f *flaws) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if f.oldIDLives && left(r.Data).Successor != "" {
		return r.Version, nil
	}
	v, err := f.Store.Update(ctx, r)
	if f.overwrites && errors.Is(err, store.ErrConflict) {
		now, _ := f.Store.Load(ctx, r.ID)
		r.Version = now.Version
		v, err = f.Store.Update(ctx, r)
	}
	if f.creates && errors.Is(err, store.ErrNotFound) {
		v, err = f.Store.Create(ctx, r)
	}
	if err == nil {
		f.note(r)
	}
	return v, err
}

func (f *flaws) Touch(ctx context.Context, id string, at time.Time) error {
	err := f.Store.Touch(ctx, id, at)
	if now, failed := f.Store.Load(ctx, id); f.touchRevives && (failed != nil || left(now.Data).Ended) {
		return f.revive(ctx, id, at)
	}
	return err
}

func (f *flaws) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	l, _ := store.As[store.Lister](f.Store)
	return func(yield func(store.Record, error) bool) {
		for r, err := range l.List(ctx, owner) {
			if err == nil && f.indexLoses && r.ID[0]%4 == 0 {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// left returns the id or the end that a document of a renewed or ended session names.
func left(data []byte) (m struct {
	Successor    string
	Login, Ended bool
}) {
	doc := struct {
		Meta any `json:"__nestsession"`
	}{&m}
	_ = json.Unmarshal(data, &doc)
	return m
}
