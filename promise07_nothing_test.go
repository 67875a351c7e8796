package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nestsession/session"
)

// "A route that declares no session does no store work."
func TestPromise07_ARouteWithoutASessionDoesNoStoreWork(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	s.calls()
	mux := http.NewServeMux()
	mux.HandleFunc("/static", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a picture") })
	mux.HandleFunc("/me", m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		fmt.Fprint(w, s.Data().name())
	}))
	mux.HandleFunc("/lazy", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := m.From(r.Context()); ok {
			fmt.Fprint(w, s.Data().name())
		}
		_, _ = m.From(r.Context())
	})
	h := m.Handler(mux)
	s.before = failing() // who asks the store gets an error
	res := b.visit(h, "/static")
	if got := body(t, res); res.StatusCode != 200 || got != "a picture" || len(res.Cookies()) != 0 {
		t.Errorf("the static route answered %d %q %v", res.StatusCode, got, res.Cookies())
	}
	if got := s.calls(); got != nil {
		t.Errorf("the static route called the store: %v", got)
	}
	s.before = nil
	for _, path := range []string{"/me", "/lazy"} {
		if got := body(t, b.visit(h, path)); got != "ada" {
			t.Errorf("%s says %q, want ada", path, got)
		}
		if got := s.calls(); len(got) != 1 || got[0] != "load" {
			t.Errorf("%s called the store: %v, want one load", path, got)
		}
	}
}

// "A visitor without a cookie costs the store nothing until something is saved."
func TestPromise07_AVisitorCostsTheStoreNothing(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]handler{
		"reads":              func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() },
		"touches":            func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() },
		"asks for the id":    func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.ID() },
		"changes nothing":    func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(func(*account) {}) },
		"sets the cookie":    func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetMaxAge(1e12) },
		"changes and undoes": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(undone) },
		"renews":             func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) },
		"regenerates": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
		},
		"destroys": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) },
		"discards": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			s.Discard()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			res := do(m, newBrowser(), h)
			if got := s.calls(); got != nil {
				t.Errorf("calls of the store: %s", strings.Join(got, " "))
			}
			if got := res.Header.Values("Set-Cookie"); got != nil {
				t.Errorf("cookies: %q", got)
			}
		})
	}
	t.Run("until something is saved", func(t *testing.T) {
		t.Parallel()
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s})
		b := newBrowser()
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
		})
		if got := strings.Join(s.calls(), " "); got != "create" || b.cookie() == "" {
			t.Errorf("calls of the store: %s, cookie %q", got, b.cookie())
		}
	})
}

func undone(a *account) {
	a.Count++
	a.Count--
}

// A route that only reads makes one call, and one that changes two.
func TestPromise07_WhatAVisitCosts(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	s.calls()
	for _, c := range []struct {
		want string
		h    handler
	}{
		{"load", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() }},
		{"load update", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			s.Update(func(a *account) { a.Count++ })
			s.SetOwner("user:1")
		}},
		{"load update", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			if err := s.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
			fmt.Fprint(w, "saved by hand, and not again")
		}},
		{"load touch", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() }},
		{"load load", func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Reload(r.Context()) }},
		{"load", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Discard() }},
	} {
		do(m, b, c.h)
		if got := strings.Join(s.calls(), " "); got != c.want {
			t.Errorf("calls of the store: %s, want %s", got, c.want)
		}
	}
}
