package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// within is how many worlds may pass before a planted bug is found.
const within = 300

// TestPlantedBugsAreFound: what the checks cannot see they do not check.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plant plant
		says  string
	}{
		"a fill after its invalidation":     {plant{near: newHasty}, "want"},
		"a missed recheck":                  {plant{deaf: true}, "is known"},
		"a touch that revives":              {plant{store: flawed(func(s *flaws) { s.touchRevives = true })}, "has ended"},
		"a renewal whose old id lives on":   {plant{store: flawed(func(s *flaws) { s.oldIDLives = true })}, "old id"},
		"an index that loses a session":     {plant{store: flawed(func(s *flaws) { s.indexLoses = true })}, "is known"},
		"an update that overwrites":         {plant{store: flawed(func(s *flaws) { s.overwrites = true })}, "want"},
		"an update that creates":            {plant{store: flawed(func(s *flaws) { s.creates = true })}, "has ended"},
		"a session swapped for another's":   {plant{store: flawed(func(s *flaws) { s.swaps = true })}, "is in the session of"},
		"a session that is lost in a store": {plant{store: flawed(func(s *flaws) { s.loses = true })}, "is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= within; seed++ {
				if wrong, _ := Run(t, seed, c.plant); strings.Contains(strings.Join(wrong, "\n"), c.says) {
					t.Logf("seed %d: %s", seed, wrong[0])
					return
				}
			}
			t.Errorf("not found in %d worlds", within)
		})
	}
}

// hasty is a cache that keeps what it has read, whatever happened meanwhile.
type hasty struct {
	store.Store
	cancel context.CancelFunc

	mu   sync.Mutex
	kept map[string]store.Record
}

func newHasty(inner store.Store) (store.Store, error) {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hasty{Store: inner, cancel: cancel, kept: map[string]store.Record{}}
	w, _ := store.As[store.Watcher](inner)
	go func() {
		_ = w.Watch(ctx, func(e store.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if e.ID != "" {
				delete(h.kept, e.ID)
			} else if e.Whole.IsZero() {
				clear(h.kept)
			}
		})
	}()
	return h, nil
}

func (h *hasty) Unwrap() store.Store { return h.Store }

func (h *hasty) Close() error { h.cancel(); return nil }

func (h *hasty) Load(ctx context.Context, id string) (store.Record, error) {
	h.mu.Lock()
	r, ok := h.kept[id]
	h.mu.Unlock()
	if ok && r.Expires.After(time.Now()) {
		return r, nil
	}
	r, err := h.Store.Load(ctx, id)
	if err == nil {
		h.mu.Lock()
		h.kept[id] = r
		h.mu.Unlock()
	}
	return r, err
}

func (h *hasty) drop(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.kept, id)
}

func (h *hasty) Update(ctx context.Context, r store.Record) (store.Version, error) {
	defer h.drop(r.ID)
	return h.Store.Update(ctx, r)
}

func (h *hasty) Touch(ctx context.Context, id string, at time.Time) error {
	defer h.drop(id)
	return h.Store.Touch(ctx, id, at)
}

func (h *hasty) Delete(ctx context.Context, id string) error {
	defer h.drop(id)
	return h.Store.Delete(ctx, id)
}

// flaws is a store with one of several bugs.
type flaws struct {
	store.Store
	touchRevives, oldIDLives, indexLoses, overwrites, creates, swaps, loses bool

	mu    sync.Mutex
	calls int
	last  map[string]store.Record // of each id, the last record that was written
}

func flawed(set func(*flaws)) func(store.Store) store.Store {
	return func(s store.Store) store.Store {
		f := &flaws{Store: s, last: map[string]store.Record{}}
		set(f)
		return f
	}
}

func (f *flaws) Unwrap() store.Store { return f.Store }

// turn is true for every n-th call.
func (f *flaws) turn(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls%n == 0
}

func (f *flaws) note(r store.Record) {
	if r.Expires.After(time.Now()) {
		f.mu.Lock()
		f.last[r.ID] = r
		f.mu.Unlock()
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
	_, err := f.Store.Create(ctx, r)
	return err
}

func (f *flaws) Load(ctx context.Context, id string) (store.Record, error) {
	if f.swaps && f.turn(50) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for other, r := range f.last {
			if other != id && r.Owner != "" {
				return r, nil
			}
		}
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
	if f.oldIDLives && pointer(r.Data) {
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
	if f.touchRevives && errors.Is(err, store.ErrNotFound) {
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

// pointer reports whether a document is a renewed session's pointer.
func pointer(data []byte) bool {
	var doc struct {
		Meta struct {
			Successor string `json:"successor"`
		} `json:"__nestsession"`
	}
	return json.Unmarshal(data, &doc) == nil && doc.Meta.Successor != ""
}
