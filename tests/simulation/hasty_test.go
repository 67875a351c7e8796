package simulation

import (
	"context"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// hasty is a cache that keeps what it has read, even if a call meanwhile has changed it.
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
