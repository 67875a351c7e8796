package devicebound_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// dying is the store of a process that is killed when it has made so many more calls.
type dying struct {
	store.Store
	left atomic.Int64
}

var errKilled = errors.New("the process was killed")

func (d *dying) call() error {
	if d.left.Add(-1) < 0 {
		return errKilled
	}
	return nil
}

func (d *dying) Load(ctx context.Context, id string) (store.Record, error) {
	if err := d.call(); err != nil {
		return store.Record{}, err
	}
	return d.Store.Load(ctx, id)
}

func (d *dying) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := d.call(); err != nil {
		return 0, err
	}
	return d.Store.Create(ctx, r)
}

func (d *dying) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := d.call(); err != nil {
		return 0, err
	}
	return d.Store.Update(ctx, r)
}

func (d *dying) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := d.call(); err != nil {
		return err
	}
	return d.Store.Touch(ctx, id, expires)
}

func (d *dying) Delete(ctx context.Context, id string) error {
	if err := d.call(); err != nil {
		return err
	}
	return d.Store.Delete(ctx, id)
}

// The server is killed at each call that it makes to the store, and its answer does not arrive.
// Another one goes on with the store: nobody is locked out, and what was bound stays bound.
func TestAServerIsKilledAtEachStep(t *testing.T) {
	t.Parallel()
	const never = 1 << 30
	for _, at := range []string{"the login", "the registration", "the first page", "the proof"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			for calls := int64(0); ; calls++ {
				c := newClock()
				backend := memstore.New(memstore.Config{Now: c.now})
				d := &dying{Store: backend}
				d.left.Store(never)
				n, b := newNode(t, c, session.Config{Store: d}, devicebound.Config{}), newBrowser(t, c)
				next := newNode(t, c, session.Config{Store: backend}, devicebound.Config{})
				// until reports whether this is the step, and kills the server there.
				until := func(step string) bool {
					if at == step {
						d.left.Store(calls)
					}
					return at == step
				}
				var field string
				switch {
				case until("the login"):
					n.answer(b.request("GET", "/login"))
				default:
					field = b.send(n, b.request("GET", "/login")).Header.Get("Secure-Session-Registration")
					if until("the registration") {
						r, _ := b.registering(field)
						n.answer(r)
						break
					}
					b.register(n, field)
					if until("the first page") {
						n.answer(b.request("GET", "/page"))
						break
					}
					b.visit(n, "/page")
					c.pass(10 * time.Minute)
					until("the proof")
					n.answer(b.proofRequest())
				}
				killed := d.left.Load() < 0

				wantStatus(t, "afterwards", b.visit(next, "/read"), http.StatusOK)
				if at == "the login" {
					if _, err := next.sessions.RevokeOwner(t.Context(), "user:1"); err != nil { // one that nobody has the cookie of
						t.Fatal(err)
					}
					login(t, next, b)
				}
				c.pass(time.Hour)
				if got := text(t, b.visit(next, "/read")); !strings.HasPrefix(got, "user:1 ") {
					t.Errorf("after %d calls the session is %q", calls, got)
				}
				if at != "the registration" {
					if !next.bound(t, "user:1") {
						t.Errorf("after %d calls the session is not bound", calls)
					}
					wantStatus(t, "without a proof", next.answer(without(b, n.binding.CookieName()).request("GET", "/read")), http.StatusUnauthorized)
				}
				if !killed {
					if calls == 0 {
						t.Error("the step makes no call")
					}
					return
				}
			}
		})
	}
}
