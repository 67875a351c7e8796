package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// "Update(fn) applies fn to this request's view and records it. Save decodes the last
// known record into a fresh value, replays the functions, and swaps; on ErrConflict it
// loads, replays and swaps again, with jitter, within ctx and a bound. No concurrent
// update is lost."
func TestPromise02_NoConcurrentUpdateIsLost(t *testing.T) {
	t.Parallel()
	const n = 100
	add := func(key string) func(*account) {
		return func(a *account) {
			a.Count++
			if a.Keys == nil {
				a.Keys = map[string]bool{}
			}
			a.Keys[key] = true
		}
	}
	check := func(t *testing.T, data account) {
		t.Helper()
		if data.Count != n || len(data.Keys) != n || data.name() != "ada" {
			t.Errorf("the counter is %d with %d keys for %q, want %d with %d for ada", data.Count, len(data.Keys), data.name(), n, n)
		}
		for i := range n {
			if key := fmt.Sprint("k", i); !data.Keys[key] {
				t.Errorf("the key %q is lost", key)
			}
		}
	}

	t.Run("through a server", func(t *testing.T) {
		t.Parallel()
		m := newManager[account](t, session.Config{})
		srv := httptest.NewTLSServer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(add(r.FormValue("key")))
			fmt.Fprint(w, s.Data().Count)
		}))
		t.Cleanup(srv.Close)
		b := newBrowser()
		login(t, m, b, "ada")
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+fmt.Sprint("/?key=k", i), nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header = b.request("GET", "/").Header
				res, err := srv.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				if res.StatusCode != http.StatusOK {
					t.Errorf("answered %d", res.StatusCode)
				}
				body(t, res)
			})
		}
		wg.Wait()
		check(t, peek(m, b))
	})

	t.Run("all loaded before any saves", func(t *testing.T) {
		t.Parallel()
		m := newManager[account](t, session.Config{})
		b := newBrowser()
		login(t, m, b, "ada")
		var loaded, served sync.WaitGroup
		loaded.Add(n)
		for i := range n {
			served.Go(func() {
				res := answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(add(fmt.Sprint("k", i)))
					loaded.Done()
					loaded.Wait()
				}), b.request("GET", "/"))
				if res.StatusCode != http.StatusOK {
					t.Errorf("answered %d", res.StatusCode)
				}
			})
		}
		served.Wait()
		check(t, peek(m, b))
	})
}

// Each conflict is reported, ends in a save, and what another request saved shows.
func TestPromise02_AConflictIsReplayedOnTheOtherRequestsResult(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	log.take()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, outer *session.Session[account]) {
		outer.Update(func(a *account) { a.Tags = append(a.Tags, "outer") })
		for i := range 3 {
			do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, inner *session.Session[account]) {
				inner.Update(func(a *account) { a.Tags = append(a.Tags, fmt.Sprint("inner", i)) })
			})
		}
		if got := fmt.Sprint(outer.Data().Tags); got != "[outer]" {
			t.Errorf("before the save the request sees %v, want its own view", got)
		}
		if err := outer.Save(r.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
		if got := fmt.Sprint(outer.Data().Tags); got != "[inner0 inner1 inner2 outer]" {
			t.Errorf("after the save the request sees %v", got)
		}
	})
	if got := log.kinds(); got != "conflict" {
		t.Errorf("events: %s, want one conflict", got)
	}
	if got := fmt.Sprint(peek(m, b).Tags); got != "[inner0 inner1 inner2 outer]" {
		t.Errorf("stored: %v", got)
	}
}

// A store that conflicts forever does not hold a request forever: not one that
// saves within a context of its own, and not one that is saved at its end.
func TestPromise02_ReplayEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s})
		b := newBrowser()
		login(t, m, b, "ada")
		s.before = func(_ context.Context, op, _ string) error {
			if op == "update" {
				return store.ErrConflict
			}
			return nil
		}
		res := do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			ses.Update(func(a *account) { a.Count++ })
			ctx, cancel := context.WithTimeout(r.Context(), session.DefaultSaveTimeout/5)
			defer cancel()
			if err := ses.Save(ctx); err == nil {
				t.Error("Save succeeded, and every swap was a conflict")
			}
			if _, err := w.Write([]byte("the page")); err == nil {
				t.Error("Write succeeded, and nothing was saved")
			}
		})
		wantErrorAlone(t, res, http.StatusServiceUnavailable)
	})
}
