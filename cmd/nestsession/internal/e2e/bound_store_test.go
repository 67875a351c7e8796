package e2e

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// gated is a store in which a test decides when requests go on, and which can be down.
type gated struct {
	store.Store
	down  atomic.Bool
	gates atomic.Value // of gates
}

var errDown = errors.New("the store is down")

type routeKey struct{}

// routed gives the store's calls the request's method and path, by which gates find them.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), routeKey{}, r.Method+" "+r.URL.Path)))
	})
}

func (g *gated) Unwrap() store.Store { return g.Store }

// pass waits at the call's gate. The caller calls done after the call.
func (g *gated) pass(ctx context.Context, call string) (done func(), err error) {
	if g.down.Load() {
		return nil, errDown
	}
	if gs, ok := g.gates.Load().(gates); ok {
		if route, ok := ctx.Value(routeKey{}).(string); ok {
			return gs.wait(ctx, step{route, call})
		}
	}
	return func() {}, nil
}

func (g *gated) Load(ctx context.Context, id string) (store.Record, error) {
	done, err := g.pass(ctx, "load")
	if err != nil {
		return store.Record{}, err
	}
	defer done()
	return g.Store.Load(ctx, id)
}

func (g *gated) Create(ctx context.Context, r store.Record) (store.Version, error) {
	done, err := g.pass(ctx, "save")
	if err != nil {
		return 0, err
	}
	defer done()
	return g.Store.Create(ctx, r)
}

func (g *gated) Update(ctx context.Context, r store.Record) (store.Version, error) {
	done, err := g.pass(ctx, "save")
	if err != nil {
		return 0, err
	}
	defer done()
	return g.Store.Update(ctx, r)
}

func (g *gated) Touch(ctx context.Context, id string, expires time.Time) error {
	done, err := g.pass(ctx, "touch")
	if err != nil {
		return err
	}
	defer done()
	return g.Store.Touch(ctx, id, expires)
}

func (g *gated) Delete(ctx context.Context, id string) error {
	done, err := g.pass(ctx, "delete")
	if err != nil {
		return err
	}
	defer done()
	return g.Store.Delete(ctx, id)
}

func (g *gated) Ping(ctx context.Context) error {
	if g.down.Load() {
		return errDown
	}
	if p, ok := store.As[store.Pinger](g.Store); ok {
		return p.Ping(ctx)
	}
	return nil
}

// step is the first call of its kind that a request for the route makes.
type step struct{ route, call string }

// gates hold steps until the test opens them.
type gates map[step]*gate

type gate struct {
	once                sync.Once
	arrived, open, done chan struct{}
}

func newGates(steps ...step) gates {
	g := gates{}
	for _, s := range steps {
		g[s] = &gate{arrived: make(chan struct{}), open: make(chan struct{}), done: make(chan struct{})}
	}
	return g
}

func (g gates) wait(ctx context.Context, s step) (done func(), err error) {
	at, first := g[s], false
	if at != nil {
		at.once.Do(func() { first = true })
	}
	if !first {
		return func() {}, nil
	}
	close(at.arrived)
	select {
	case <-at.open:
		return func() { close(at.done) }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// let waits until the step's call has come, and lets it go on until it is done.
func (g gates) let(t *testing.T, s step) {
	t.Helper()
	at := g[s]
	for _, wait := range []func() (chan struct{}, string){
		func() (chan struct{}, string) { return at.arrived, "come" },
		func() (chan struct{}, string) { close(at.open); return at.done, "end" },
	} {
		until, what := wait()
		select {
		case <-until:
		case <-time.After(soon):
			t.Fatalf("the %s of %s did not %s within %v", s.call, s.route, what, soon)
		}
	}
}
