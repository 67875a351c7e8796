package session_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// frozen is a store that takes a call and never answers: it returns when ctx ends.
func frozen(ops ...string) func(context.Context, string, string) error {
	stuck := failing(ops...)
	return func(ctx context.Context, op, id string) error {
		if stuck(ctx, op, id) == nil {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

// A store that does not answer costs a request its timeout and no more, and requests
// without a session nothing.
func TestPromise12_AStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	change := func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
	}
	late := func(do func(context.Context, *session.Session[account]) error) handler {
		return func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			err := do(r.Context(), s)
			if !errors.Is(err, context.DeadlineExceeded) {
				panic(err)
			}
			s.Discard()
			w.WriteHeader(http.StatusGatewayTimeout)
		}
	}
	for name, c := range map[string]struct {
		stuck  string
		h      handler
		status int
		after  time.Duration
	}{
		"load":       {"load", change, http.StatusServiceUnavailable, 3 * time.Second},
		"last save":  {"update", change, http.StatusServiceUnavailable, 7 * time.Second},
		"Save":       {"update", late(func(ctx context.Context, s *session.Session[account]) error { return s.Save(ctx) }), 504, 7 * time.Second},
		"Renew":      {"create", late(func(ctx context.Context, s *session.Session[account]) error { return s.Renew(ctx) }), 504, 7 * time.Second},
		"Destroy":    {"update", late(func(ctx context.Context, s *session.Session[account]) error { return s.Destroy(ctx) }), 504, 7 * time.Second},
		"Regenerate": {"update", late(func(ctx context.Context, s *session.Session[account]) error { return s.Regenerate(ctx) }), http.StatusServiceUnavailable, 14 * time.Second}, // the old session is tried once more at the end
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{LoadTimeout: 3 * time.Second, SaveTimeout: 7 * time.Second}})
				b := newBrowser()
				login(t, m, b, "ada")
				s.before = frozen(c.stuck)
				start := time.Now()
				res := b.fork().visit(m.HandlerFunc(c.h), "/")
				if took := time.Since(start); res.StatusCode != c.status || took < c.after || took > c.after+time.Second {
					t.Errorf("answered %d after %v, want %d after %v", res.StatusCode, took, c.status, c.after)
				}
				start = time.Now()
				free := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
				if res := b.fork().visit(free, "/free"); res.StatusCode != 204 || time.Since(start) != 0 {
					t.Errorf("a page without a session: %d after %v", res.StatusCode, time.Since(start))
				}
				s.before = nil
				if who := whoami(m, b); who != "ada" {
					t.Errorf("once the store answers again: %q", who)
				}
			})
		})
	}
}

// Reload and Ping wait no longer than a load, and nobody waits when the client has gone.
func TestPromise12_WaitingForALoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{LoadTimeout: 3 * time.Second}})
		b := newBrowser()
		login(t, m, b, "ada")
		var reload error
		do(m, b, func(_ http.ResponseWriter, r *http.Request, sess *session.Session[account]) {
			s.before = frozen("load")
			reload = sess.Reload(r.Context())
		})
		if !errors.Is(reload, context.DeadlineExceeded) {
			t.Errorf("Reload: %v", reload)
		}
		start := time.Now()
		ctx, leave := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the client has gone"))
		defer leave()
		if _, err := m.Open(b.request("GET", "/").WithContext(ctx)); err == nil || time.Since(start) != time.Second {
			t.Errorf("opened (%v) after %v, want an error when the client has gone, after a second", err, time.Since(start))
		}
	})
}

// frozenList is a store whose listing hangs after its first record.
type frozenList struct{ *hooked }

func (s frozenList) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	l, _ := store.As[store.Lister](s.inner)
	return func(yield func(store.Record, error) bool) {
		for rec, err := range l.List(ctx, owner) {
			if !yield(rec, err) {
				return
			}
			break
		}
		<-ctx.Done()
		yield(store.Record{}, ctx.Err())
	}
}

// A listing waits for each next session no longer than for a load, however long its
// reader takes, and ending sessions no longer than for a save.
func TestPromise12_WaitingForAListing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: frozenList{s}, StoreLimits: session.StoreLimits{LoadTimeout: 3 * time.Second, SaveTimeout: 7 * time.Second}})
		loginAs(t, m, "user:1")
		start, found := time.Now(), 0
		for info, err := range m.List(t.Context(), "user:1") {
			if err == nil {
				found++
				time.Sleep(time.Minute)
				s.before = frozen("load", "update", "delete")
				if err := m.Revoke(t.Context(), info); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Revoke: %v", err)
				}
				continue
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("List: %v", err)
			}
		}
		if took := time.Since(start); found != 1 || took != time.Minute+10*time.Second {
			t.Errorf("found %d in %v, want one in a minute and ten seconds", found, took)
		}
	})
}
