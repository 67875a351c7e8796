package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// An ending is what ends a session while another request is under way.
var endings = map[string]func(t *testing.T, m *session.Manager[account], b *browser){
	"Destroy": func(t *testing.T, m *session.Manager[account], b *browser) {
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Destroy(r.Context()); err != nil {
				t.Errorf("Destroy: %v", err)
			}
		})
	},
	"Regenerate": func(t *testing.T, m *session.Manager[account], b *browser) { login(t, m, b, "bob") },
	"Revoke": func(t *testing.T, m *session.Manager[account], _ *browser) {
		for info, err := range m.ListAll(t.Context()) {
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			if err := m.Revoke(t.Context(), info); err != nil {
				t.Errorf("Revoke: %v", err)
			}
		}
	},
}

// A stage of a request that loaded the session before it was ended.
var lateRequests = map[string]handler{
	"that changes": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
	},
	"that only reads": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() },
	"that touches":    func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() },
	"that changes the owner": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.SetOwner("user:mallory")
	},
	"that changes the cookie": func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.SetMaxAge(1e15)
	},
	"that saves by hand": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		_ = s.Save(r.Context())
		_ = s.Save(r.Context())
	},
	"that renews": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) },
	"that reloads": func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_ = s.Reload(r.Context())
		s.Update(func(a *account) { a.Count++ })
	},
}

// "What was destroyed stays destroyed: no save or touch brings it back (ErrRevoked)."
func TestPromise04_WhatWasDestroyedStaysDestroyed(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) store.Store{
		"memstore":  func(t *testing.T) store.Store { return newHooked(t).inner },
		"a wrapper": func(t *testing.T) store.Store { return newHooked(t) },
	}
	for kind, open := range stores {
		for ending, end := range endings {
			for late, h := range lateRequests {
				t.Run(kind+"/"+ending+" before a request "+late+" is answered", func(t *testing.T) {
					t.Parallel()
					s := open(t)
					m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{TouchInterval: -1}})
					b := newBrowser()
					login(t, m, b, "ada")
					old := b.fork()
					res := do(m, b.fork(), func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
						end(t, m, b)
						h(w, r, ses)
					})
					if res.StatusCode != http.StatusOK {
						t.Errorf("answered %d, want the page", res.StatusCode)
					}
					if who := whoami(m, old); who != "" {
						t.Errorf("the old cookie is logged in as %q", who)
					}
					want := 0
					if ending == "Regenerate" {
						want = 1
					}
					if got := records(t, s); len(got) != want {
						t.Errorf("the store has %d records, want %d: %+v", len(got), want, got)
					}
				})
			}
		}
	}
}

// An automatic save on a session that ended meanwhile drops the changes, reports it, and
// lets the page through. The cookie stays as it is: see promise 13.
func TestPromise04_AnAutomaticSaveLetsThePageThrough(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	late := b.fork()
	res := do(m, late, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		endings["Destroy"](t, m, b)
		log.take()
		s.Update(func(a *account) { a.Count++ })
		if _, err := w.Write([]byte("the page")); err != nil {
			t.Errorf("Write: %v", err)
		}
		if got := log.kinds(); got != "dropped: session has ended" {
			t.Errorf("events: %q, want one for the dropped change", got)
		}
		if s.ID() != "" || s.Data().User != nil {
			t.Error("the session still has an id or data")
		}
	})
	if got := body(t, res); res.StatusCode != http.StatusOK || got != "the page" {
		t.Errorf("answered %d %q, want the page", res.StatusCode, got)
	}
	if lines := res.Header.Values("Set-Cookie"); len(lines) > 0 { // the browser may have a newer one by then
		t.Errorf("the response sets the cookie: %q", lines)
	}
}

// A save by hand says that the session has ended.
func TestPromise04_ASaveByHandReturnsErrRevoked(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*session.Session[account], context.Context) error{
		"Save": (*session.Session[account]).Save, "Reload": (*session.Session[account]).Reload, "Renew": (*session.Session[account]).Renew,
	} {
		for ending, end := range endings {
			t.Run(name+" after "+ending, func(t *testing.T) {
				t.Parallel()
				m := newManager[account](t, session.Config{})
				b := newBrowser()
				login(t, m, b, "ada")
				do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					end(t, m, b)
					s.Update(func(a *account) { a.Count++ })
					for range 2 {
						if err := call(s, r.Context()); !errors.Is(err, session.ErrRevoked) {
							t.Errorf("%s returned %v, want ErrRevoked", name, err)
						}
					}
				})
			})
		}
	}
}

// A record that has expired is not written either (CVE-2024-35220).
func TestPromise04_AnExpiredSessionStaysExpired(t *testing.T) {
	t.Parallel()
	for late, h := range lateRequests {
		t.Run("before a request "+late+" is answered", func(t *testing.T) {
			t.Parallel()
			c := newClock()
			m := newManager[account](t, session.Config{
				Store: memstore.New(memstore.Config{Now: c.now}), Now: c.now, StoreLimits: session.StoreLimits{TouchInterval: -1},
			})
			b := newBrowser()
			login(t, m, b, "ada")
			do(m, b.fork(), func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				c.advance(session.DefaultIdleTimeout)
				h(w, r, s)
			})
			if who := whoami(m, b); who != "" {
				t.Errorf("the cookie is logged in as %q", who)
			}
		})
	}
}
