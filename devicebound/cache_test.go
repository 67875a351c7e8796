package devicebound_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// stale is a store with a cache that has not seen what another node wrote, until a write of its
// own shows that.
type stale struct {
	store.Store
	mu   sync.Mutex
	keep bool // what is loaded now
	kept map[string]store.Record
}

func (s *stale) Unwrap() store.Store { return s.Store }

// freeze keeps the records that are loaded while do runs.
func (s *stale) freeze(do func()) {
	s.keep, s.kept = true, map[string]store.Record{}
	do()
	s.keep = false
}

func (s *stale) Load(ctx context.Context, id string) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.kept[id]; ok {
		return r, nil
	}
	r, err := s.Store.Load(ctx, id)
	if err == nil && s.keep {
		s.kept[id] = r
	}
	return r, err
}

func (s *stale) Update(ctx context.Context, r store.Record) (store.Version, error) {
	v, err := s.Store.Update(ctx, r)
	if errors.Is(err, store.ErrConflict) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.kept, r.ID)
	}
	return v, err
}

// cached makes two nodes of one store: the second has a cache.
func cached(t *testing.T) (c *clock, one, two *node, cache *stale, b *browser) {
	t.Helper()
	c = newClock()
	backend := memstore.New(memstore.Config{Now: c.now})
	cache = &stale{Store: backend}
	one = newNode(t, c, session.Config{Store: backend}, devicebound.Config{})
	two = newNode(t, c, session.Config{Store: cache}, devicebound.Config{})
	return c, one, two, cache, newBrowser(t, c)
}

// A node whose cache has the session from before the last proof takes that proof's cookie, and
// the next proof.
func TestACacheHasNotSeenTheLastProof(t *testing.T) {
	t.Parallel()
	c, one, two, cache, b := cached(t)
	login(t, one, b)
	cache.freeze(func() { wantStatus(t, "the page that is cached", b.visit(two, "/read"), http.StatusOK) })
	c.pass(9 * time.Minute)
	b.prove(one)
	c.pass(time.Minute)
	wantStatus(t, "a page", b.visit(two, "/read"), http.StatusOK)
	c.pass(10 * time.Minute)
	wantStatus(t, "a page, after the next proof there", b.visit(two, "/read"), http.StatusOK)
	if b.signed != 2 {
		t.Errorf("the browser has signed %d times", b.signed)
	}
	cache.freeze(func() { b.visit(two, "/read") })
	c.pass(time.Minute)
	b.prove(one)
	thief := b.thief()
	r := thief.request("POST", b.refresh)
	wantStatus(t, "a thief with the new cookie asks there", two.answer(r), http.StatusForbidden)
	wantStatus(t, "the thief afterwards", one.answer(thief.request("GET", "/read")), http.StatusUnauthorized)
}

// A node whose cache has the session from before its registration does not tell the browser to
// forget its key.
func TestACacheHasNotSeenTheRegistration(t *testing.T) {
	t.Parallel()
	c, one, two, cache, b := cached(t)
	field := b.send(one, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
	cache.freeze(func() { b.send(two, b.request("GET", "/read")) })
	wantStatus(t, "the registration", b.register(one, field), http.StatusOK)
	wantStatus(t, "a page", b.visit(one, "/read"), http.StatusOK)
	c.pass(10 * time.Minute)
	if b.prove(two); b.key == nil {
		t.Fatal("the browser has forgotten its key")
	}
	wantStatus(t, "a page", b.visit(one, "/read"), http.StatusOK)
	if !one.bound(t, "user:1") {
		t.Error("the session is not bound")
	}
}
