package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session"
)

// A callback that asks for the session, which is being opened or saved for it, gets an
// error at once. It used to wait for itself.
func TestCallbacksDoNotFindTheSession(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(cfg *session.Config, ask func(context.Context)){
		"CookieFunc": func(cfg *session.Config, ask func(context.Context)) {
			cfg.CookieFunc = func(r *http.Request) session.Cookie { ask(r.Context()); return session.Cookie{} }
		},
		"IsSecure": func(cfg *session.Config, ask func(context.Context)) {
			cfg.IsSecure = func(r *http.Request) bool { ask(r.Context()); return true }
		},
		"GenID": func(cfg *session.Config, ask func(context.Context)) {
			n := 0
			cfg.GenID = func(r *http.Request) (string, error) {
				ask(r.Context())
				n++
				return strings.Repeat("x", 30+n), nil
			}
		},
		"OnEvent": func(cfg *session.Config, ask func(context.Context)) {
			cfg.OnEvent = func(ctx context.Context, _ session.Event) { ask(ctx) }
		},
		"Store": func(cfg *session.Config, ask func(context.Context)) {
			cfg.Store.(*hooked).before = func(ctx context.Context, _, _ string) error { ask(ctx); return nil }
		},
	} {
		for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{
			"HandlerFunc": declaring,
			"Load":        func(m *session.Manager[account], do handler) http.Handler { return m.Handler(asking(m, do)) },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				var m *session.Manager[account]
				var got []error
				cfg := session.Config{Store: newHooked(t)}
				configure(&cfg, func(ctx context.Context) {
					if s, ok := m.From(ctx); ok || s != nil {
						t.Error("the callback found the session")
					}
					_, err := m.Load(ctx)
					got = append(got, err)
				})
				m = newManager[account](t, cfg)
				b := newBrowser()
				r := b.request("GET", "/")
				if name == "IsSecure" {
					r.TLS = nil
				}
				res := b.send(serve(m, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					if err := s.Regenerate(r.Context()); err != nil {
						t.Errorf("Regenerate: %v", err)
					}
					count(s)
					if err := s.Save(r.Context()); err != nil {
						t.Errorf("Save: %v", err)
					}
					if err := s.Reload(r.Context()); err != nil {
						t.Errorf("Reload: %v", err)
					}
					if err := m.Commit(r.Context(), s, w.Header()); err != nil {
						t.Errorf("Commit: %v", err)
					}
				}), r)
				if res.StatusCode != http.StatusOK || len(got) == 0 {
					t.Errorf("answered %d, and the callback was called %d times", res.StatusCode, len(got))
				}
				for _, err := range got {
					// Automatic opening and saving hand stores and events a context that
					// knows of no exchange.
					if !errors.Is(err, session.ErrReentrant) && !(errors.Is(err, session.ErrNoHandler) && (name == "OnEvent" || name == "Store")) {
						t.Errorf("Load within the callback: %v", err)
					}
				}
			})
		}
	}
}

// A method of the session within a function given to Update does not wait for the
// function's end; the save fails, and says where it was called.
func TestMethodsWithinUpdate(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *session.Session[account]){
		"Data":          func(_ context.Context, s *session.Session[account]) { s.Data() },
		"Update":        func(_ context.Context, s *session.Session[account]) { count(s) },
		"SetOwner":      func(_ context.Context, s *session.Session[account]) { s.SetOwner("user:1") },
		"ID":            func(_ context.Context, s *session.Session[account]) { s.ID() },
		"Save":          func(ctx context.Context, s *session.Session[account]) { _ = s.Save(ctx) },
		"Renew":         func(ctx context.Context, s *session.Session[account]) { _ = s.Renew(ctx) },
		"Regenerate":    func(ctx context.Context, s *session.Session[account]) { _ = s.Regenerate(ctx) },
		"Reload":        func(ctx context.Context, s *session.Session[account]) { _ = s.Reload(ctx) },
		"KeepAlive":     func(ctx context.Context, s *session.Session[account]) { _ = s.KeepAlive(ctx) },
		"SetMaxAge":     func(_ context.Context, s *session.Session[account]) { s.SetMaxAge(60e9) },
		"Expires":       func(_ context.Context, s *session.Session[account]) { s.Expires() },
		"NotifyContext": func(ctx context.Context, s *session.Session[account]) { _, stop := s.NotifyContext(ctx); stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			m := newManager[account](t, session.Config{OnEvent: log.add})
			b := newBrowser()
			login(t, m, b, "ada")
			log.take()
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) {
					a.Count = 7
					call(r.Context(), s)
				})
				if err := s.Save(r.Context()); !errors.Is(err, session.ErrReentrant) || !strings.Contains(err.Error(), "_test.go:") {
					t.Errorf("Save: %v, want ErrReentrant and the line", err)
				}
			})
			if res.StatusCode != http.StatusInternalServerError {
				t.Errorf("answered %d, want 500", res.StatusCode)
			}
			if got := log.kinds(); !strings.Contains(got, "save failed") {
				t.Errorf("events: %q", got)
			}
			if got := peek(m, b).Count; got != 0 {
				t.Errorf("the counter is %d", got)
			}
		})
	}
}

// So it is for a method value, a generic function, and a call that only the replay makes.
func TestMethodsWithinUpdateOfEveryForm(t *testing.T) {
	t.Parallel()
	for name, update := range map[string]func(*session.Session[account]){
		"a method value":     func(s *session.Session[account]) { s.Update(looker{s}.look) },
		"a generic function": func(s *session.Session[account]) { s.Update(looking[account](s)) },
		"the replay alone": func(s *session.Session[account]) {
			n := 0
			s.Update(func(*account) {
				if n++; n > 1 {
					_ = s.Save(context.Background())
				}
			})
		},
		"a deferred call": func(s *session.Session[account]) { s.Update(func(*account) { defer s.Data() }) },
		"a function in it": func(s *session.Session[account]) {
			s.Update(func(*account) { func() { s.Data() }() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				update(s)
				if err := s.Save(r.Context()); !errors.Is(err, session.ErrReentrant) {
					t.Errorf("Save: %v", err)
				}
			})
		})
	}
}

type looker struct{ s *session.Session[account] }

func (l looker) look(*account) { l.s.Data() }

func looking[T any](s *session.Session[T]) func(*T) { return func(*T) { s.Data() } }

// Other goroutines wait for the function's end, and so does one that is within another
// session's Update. Nothing of that is an error.
func TestOtherGoroutinesWaitForUpdate(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		other, err := m.Open(newBrowser().request("GET", "/"))
		if err != nil {
			t.Errorf("Open: %v", err)
			return
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 200 {
					s.Update(func(a *account) { a.Count++ })
					if s.Data().Count == 0 {
						t.Error("an update was not seen")
					}
				}
			})
			all.Go(func() {
				for range 200 {
					other.Update(func(*account) { s.Data() })
				}
			})
		}
		all.Wait()
		if err := s.Save(r.Context()); err != nil || s.Data().Count != 800 {
			t.Errorf("the counter is %d, Save: %v", s.Data().Count, err)
		}
	})
}

// A function that panics leaves the session usable.
func TestAPanicWithinUpdate(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		func() {
			defer func() { _ = recover() }()
			s.Update(func(*account) { panic("oops") })
		}()
		count(s)
	})
	if got := peek(m, b).Count; got != 1 {
		t.Errorf("the counter is %d", got)
	}
}
