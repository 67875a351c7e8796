package storetest

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"time"

	"github.com/nestsession/session/store"
)

// simple is a plain store that fulfils the contract, to which the flaws are applied. Several may
// share a table, as nodes share a database.
type simple struct {
	*table
}

type table struct {
	now      func() time.Time
	sem      chan struct{} // the lock; unlike a mutex, waiting for it ends with quit
	quit     chan struct{} // closed when the test is over
	records  map[string]store.Record
	version  store.Version
	watchers []*simpleWatcher
	closed   bool
}

type simpleWatcher struct {
	events []store.Event
	wake   chan struct{}
}

func newTable() *table {
	return &table{
		now:     time.Now,
		sem:     make(chan struct{}, 1),
		quit:    make(chan struct{}),
		records: map[string]store.Record{},
	}
}

func (t *table) lock() {
	select {
	case t.sem <- struct{}{}:
	case <-t.quit:
		runtime.Goexit() // a flaw has locked the store and does not unlock it
	}
}

func (t *table) unlock() { <-t.sem }

// begin checks what every call checks, and locks.
func (t *table) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.lock()
	if t.closed {
		t.unlock()
		return store.ErrClosed
	}
	return nil
}

func (t *table) over(r store.Record) bool {
	return !r.Expires.IsZero() && !r.Expires.After(t.now())
}

// live returns the live record with the id. The caller holds the lock.
func (t *table) live(id string) (store.Record, error) {
	r, ok := t.records[id]
	switch {
	case !ok:
		return store.Record{}, store.ErrNotFound
	case t.over(r):
		return store.Record{}, store.ErrExpired
	}
	return r, nil
}

// put stores r with a new version. The caller holds the lock.
func (t *table) put(r store.Record) store.Version {
	t.version++
	r.Version = t.version
	t.records[r.ID] = r
	return r.Version
}

func (t *table) report(ev store.Event) {
	for _, w := range t.watchers {
		w.events = append(w.events, ev)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (t *table) Load(ctx context.Context, id string) (store.Record, error) {
	if err := t.begin(ctx); err != nil {
		return store.Record{}, err
	}
	defer t.unlock()
	return t.live(id)
}

func (t *table) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	r, err := t.Load(ctx, id)
	return newer(r, have), err
}

// newer returns r without its data if it has the version have.
func newer(r store.Record, have store.Version) store.Record {
	if r.Version == have {
		r.Data = nil
	}
	return r
}

func (t *table) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := t.begin(ctx); err != nil {
		return 0, err
	}
	defer t.unlock()
	if _, err := t.live(r.ID); err == nil {
		return 0, store.ErrExists
	}
	return t.put(r), nil
}

func (t *table) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := t.begin(ctx); err != nil {
		return 0, err
	}
	defer t.unlock()
	old, err := t.live(r.ID)
	if err != nil {
		return 0, err
	}
	if old.Version != r.Version {
		return 0, store.ErrConflict
	}
	v := t.put(r)
	t.report(store.Event{ID: r.ID})
	return v, nil
}

func (t *table) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.unlock()
	r, err := t.live(id)
	if err != nil {
		return err
	}
	r.Expires = expires
	t.records[id] = r
	t.report(store.Event{ID: id})
	return nil
}

func (t *table) Delete(ctx context.Context, id string) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.unlock()
	if _, ok := t.records[id]; ok {
		delete(t.records, id)
		t.report(store.Event{ID: id, Ended: true})
	}
	return nil
}

func (t *table) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := t.begin(ctx); err != nil {
			yield(store.Record{}, err)
			return
		}
		var listed []store.Record
		for _, r := range t.records {
			if (owner == "" || r.Owner == owner) && !t.over(r) {
				listed = append(listed, r)
			}
		}
		t.unlock()
		for _, r := range listed {
			if err := ctx.Err(); err != nil {
				yield(store.Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (t *table) Watch(ctx context.Context, fn func(store.Event)) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	w := &simpleWatcher{wake: make(chan struct{}, 1)}
	t.watchers = append(t.watchers, w)
	t.unlock()
	defer func() {
		t.lock()
		defer t.unlock()
		t.watchers = slices.DeleteFunc(t.watchers, func(x *simpleWatcher) bool { return x == w })
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		t.lock()
		events, closed := w.events, t.closed
		w.events = nil
		t.unlock()
		if closed {
			return store.ErrClosed
		}
		for _, ev := range events {
			fn(ev)
		}
	}
}

func (t *table) Sweep(ctx context.Context) (removed int, err error) {
	if err := t.begin(ctx); err != nil {
		return 0, err
	}
	defer t.unlock()
	for id, r := range t.records {
		if t.over(r) {
			delete(t.records, id)
			removed++
		}
	}
	return removed, nil
}

func (t *table) Ping(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	t.unlock()
	return nil
}

func (t *table) Close() error {
	t.lock()
	defer t.unlock()
	t.closed = true
	for _, w := range t.watchers {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return nil
}
