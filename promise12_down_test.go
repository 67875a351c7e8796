package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/nestsession/session"
)

// "A store that is down: the documented policy, by default an error response for
// handlers that declare a session and nothing for the others; never a silent anonymous
// session."
func TestPromise12_AStoreThatIsDown(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	member := newBrowser()
	login(t, m, member, "ada")
	log.take()
	s.before = failing()
	page := func(w http.ResponseWriter) {
		w.Header().Set("X-From", "the handler")
		fmt.Fprint(w, "the page")
	}
	for name, c := range map[string]struct {
		h      http.Handler
		served bool
	}{
		"declares": {m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) {
			t.Error("the handler ran without its session")
		}), false},
		"declares, within Handler": {m.Handler(m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) {
			t.Error("the handler ran without its session")
		})), false},
		"declares none": {m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { page(w) })), true},
		"asks, and takes no for anonymous": {m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := m.From(r.Context()); ok {
				t.Error("From found a session")
			}
			page(w)
		})), false},
		"asks, and writes nothing": {m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 2 {
				if s, err := m.Load(r.Context()); s != nil || !errors.Is(err, errDown) {
					t.Errorf("Load: %v, %v", s, err)
				}
			}
		})), false},
		"asks, and answers an error of its own": {m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := m.Load(r.Context()); err != nil {
				w.Header().Set("X-From", "the handler")
				http.Error(w, "my own words", http.StatusTeapot)
			}
		})), false},
		"asks in another goroutine": {m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				_, _ = m.From(r.Context())
			}()
			<-asked
			page(w)
		})), false},
	} {
		t.Run(name, func(t *testing.T) {
			res := member.fork().visit(c.h, "/")
			got := log.kinds()
			if c.served {
				if text := body(t, res); res.StatusCode != 200 || text != "the page" || got != "" {
					t.Errorf("answered %d %q, events %q", res.StatusCode, text, got)
				}
				return
			}
			wantErrorAlone(t, res, http.StatusServiceUnavailable)
			if got != "load failed" {
				t.Errorf("events: %q", got)
			}
		})
	}
	t.Run("visitor", func(t *testing.T) {
		// A client without a cookie needs no store, until something is to be saved.
		res := newBrowser().visit(m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) { page(w) }), "/")
		if res.StatusCode != 200 {
			t.Errorf("answered %d", res.StatusCode)
		}
		res = newBrowser().visit(m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			page(w)
		}), "/")
		wantErrorAlone(t, res, http.StatusServiceUnavailable)
		if got := log.kinds(); got != "save failed" {
			t.Errorf("events: %q", got)
		}
	})
	t.Run("afterwards", func(t *testing.T) {
		s.before = nil
		if who := whoami(m, member); who != "ada" {
			t.Errorf("when the store is back, logged in as %q", who)
		}
	})
}

// A client that gives up while the store answers is no failure of the store.
func TestPromise12_AClientThatGaveUpIsNotReported(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	log.take()
	ctx, leave := context.WithCancel(t.Context())
	s.before = func(ctx context.Context, _, _ string) error {
		leave()
		<-ctx.Done()
		return ctx.Err()
	}
	res := answer(m.HandlerFunc(func(http.ResponseWriter, *http.Request, *session.Session[account]) {
		t.Error("the handler ran without its session")
	}), b.request("GET", "/").WithContext(ctx))
	if got := log.kinds(); got != "" || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d, events %q", res.StatusCode, got)
	}
}

// The health probe asks the store, and needs no session.
func TestPromise12_Ping(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	if err := m.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	plain := &hooked{inner: &hooked{inner: s.inner}}
	n := newManager[account](t, session.Config{Store: struct{ *stepped }{&stepped{plain}}})
	if err := n.Ping(t.Context()); err != nil {
		t.Errorf("Ping of a store without a Pinger: %v", err)
	}
	plain.before = failing()
	if err := n.Ping(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("Ping of a store that is down: %v", err)
	}
	own := newManager[account](t, session.Config{})
	if err := own.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := own.Ping(t.Context()); err == nil {
		t.Error("Ping of a closed manager succeeded")
	}
}
