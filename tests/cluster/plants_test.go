package cluster

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// The bugs that can be planted in the nodes.
const (
	plantStale  = "a near cache without recheck"
	plantExpiry = "an expiry sent by a late response"
	plantEarly  = "an acknowledged save before the swap"
)

// blind is a cache that does not notice what other nodes write.
type blind struct {
	store.Store
	mu   sync.Mutex
	kept map[string]store.Record
}

func newBlind(inner store.Store) *blind { return &blind{Store: inner, kept: map[string]store.Record{}} }

func (b *blind) Unwrap() store.Store { return b.Store }

func (b *blind) Load(ctx context.Context, id string) (store.Record, error) {
	b.mu.Lock()
	r, ok := b.kept[id]
	b.mu.Unlock()
	if ok {
		return r, nil
	}
	r, err := b.Store.Load(ctx, id)
	if err == nil {
		b.mu.Lock()
		b.kept[id] = r
		b.mu.Unlock()
	}
	return r, err
}

func (b *blind) Update(ctx context.Context, r store.Record) (store.Version, error) {
	defer b.drop(r.ID)
	return b.Store.Update(ctx, r)
}

func (b *blind) Delete(ctx context.Context, id string) error {
	defer b.drop(id)
	return b.Store.Delete(ctx, id)
}

func (b *blind) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.kept, id)
}

// early answers an update before the store has compared the version.
type early struct{ store.Store }

func (e early) Unwrap() store.Store { return e.Store }

func (e early) Update(_ context.Context, r store.Record) (store.Version, error) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		_, _ = e.Store.Update(ctx, r)
	}()
	return r.Version + 1, nil
}

// lateExpiry removes the cookie from the browser in each response without a session, some time after
// the session was looked for.
func lateExpiry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&expiring{ResponseWriter: w, request: r}, r)
	})
}

type expiring struct {
	http.ResponseWriter
	request *http.Request
}

func (e *expiring) Unwrap() http.ResponseWriter { return e.ResponseWriter }

func (e *expiring) WriteHeader(status int) {
	c, err := e.request.Cookie(cookieName)
	if err == nil && status == http.StatusUnauthorized {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-e.request.Context().Done():
		}
		http.SetCookie(e.ResponseWriter, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1})
	}
	e.ResponseWriter.WriteHeader(status)
}
