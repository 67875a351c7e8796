package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
)

type middleware = func(http.Handler) http.Handler

// recovering is a recoverer that writes its page in the deferred function.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "sorry", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// returning is a recoverer that makes an error of the panic, and answers when the
// deferred function is over.
func returning(next http.Handler) http.Handler {
	safely := func(w http.ResponseWriter, r *http.Request) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("recovered: %v", p)
			}
		}()
		next.ServeHTTP(w, r)
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := safely(w, r); err != nil {
			http.Error(w, "sorry", http.StatusInternalServerError)
		}
	})
}

// buffering holds the response back until the handler has returned.
func buffering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		w.WriteHeader(rec.Code)
		_, _ = rec.Body.WriteTo(w)
	})
}

func limiting(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") }

// inMux is a mux in a mux.
func inMux(next http.Handler) http.Handler {
	inner, outer := http.NewServeMux(), http.NewServeMux()
	inner.Handle("/", next)
	outer.Handle("/", inner)
	return outer
}

// another puts a second manager into the chain.
func another(t *testing.T) middleware {
	return newManager[account](t, session.Config{Name: "other"}).Handler
}

func chain(h http.Handler, all ...middleware) http.Handler {
	for i := len(all) - 1; i >= 0; i-- {
		h = all[i](h)
	}
	return h
}

// change does all that can be done to a session and is saved at the request's end.
func change(s *session.Session[account]) {
	s.Update(func(a *account) { a.Count++ })
	s.SetOwner("user:1")
	s.SetMaxAge(time.Hour)
}

// declaring serves do by HandlerFunc, asking by Load.
func declaring(m *session.Manager[account], do handler) http.Handler { return m.HandlerFunc(do) }

func asking(m *session.Manager[account], do handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Load(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		do(w, r, s)
	})
}

// "A panicking handler saves nothing, whoever recovers, wherever in the chain."
func TestPromise19_APanickingHandlerSavesNothing(t *testing.T) {
	t.Parallel()
	chains := map[string]func(t *testing.T, own middleware) []middleware{
		"outside":                     func(_ *testing.T, own middleware) []middleware { return []middleware{recovering, own} },
		"inside":                      func(_ *testing.T, own middleware) []middleware { return []middleware{own, recovering} },
		"both":                        func(_ *testing.T, own middleware) []middleware { return []middleware{recovering, own, recovering} },
		"inside, twice":               func(_ *testing.T, own middleware) []middleware { return []middleware{own, recovering, own} },
		"inside, in a mux in a mux":   func(_ *testing.T, own middleware) []middleware { return []middleware{own, inMux, recovering, inMux} },
		"an error, outside":           func(_ *testing.T, own middleware) []middleware { return []middleware{returning, own} },
		"an error, inside":            func(_ *testing.T, own middleware) []middleware { return []middleware{own, returning} },
		"an error, in a mux in a mux": func(_ *testing.T, own middleware) []middleware { return []middleware{own, inMux, returning, inMux} },
		"buffered":                    func(_ *testing.T, own middleware) []middleware { return []middleware{own, buffering, recovering} },
		"within a TimeoutHandler":     func(_ *testing.T, own middleware) []middleware { return []middleware{own, limiting, recovering} },
		"around a TimeoutHandler":     func(_ *testing.T, own middleware) []middleware { return []middleware{own, recovering, limiting} },
		"a TimeoutHandler outside":    func(_ *testing.T, own middleware) []middleware { return []middleware{limiting, own, recovering} },
		"another manager inside":      func(t *testing.T, own middleware) []middleware { return []middleware{own, another(t), recovering} },
		"another manager outside":     func(t *testing.T, own middleware) []middleware { return []middleware{another(t), own, recovering} },
		"another manager, around":     func(t *testing.T, own middleware) []middleware { return []middleware{own, recovering, another(t)} },
	}
	handlers := map[string]func(http.ResponseWriter, *session.Session[account]){
		"panics": func(_ http.ResponseWriter, s *session.Session[account]) { change(s); panic("oops") },
		"panics with nothing": func(_ http.ResponseWriter, s *session.Session[account]) {
			change(s)
			panic(nil) //nolint:govet // a test of it
		},
		"aborts": func(_ http.ResponseWriter, s *session.Session[account]) { change(s); panic(http.ErrAbortHandler) },
		"reads a nil pointer": func(_ http.ResponseWriter, s *session.Session[account]) {
			change(s)
			s.Update(func(a *account) { a.User.Name = (*user)(nil).Name })
		},
		"panics again": func(_ http.ResponseWriter, s *session.Session[account]) {
			defer func() { panic(recover()) }()
			change(s)
			panic("oops")
		},
		"panics in a deferred function": func(_ http.ResponseWriter, s *session.Session[account]) {
			defer change(s)
			defer panic("oops")
		},
	}
	for place, build := range chains {
		for how, handle := range handlers {
			for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{"HandlerFunc": declaring, "Load": asking} {
				t.Run(place+"/"+how+"/"+kind, func(t *testing.T) {
					t.Parallel()
					var log journal
					s := newHooked(t)
					m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
					b := newBrowser()
					login(t, m, b, "ada")
					s.calls()
					log.take()
					h := chain(serve(m, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) { handle(w, s) }), build(t, m.Handler)...)
					res := b.visit(h, "/")
					if got := body(t, res); res.StatusCode != http.StatusInternalServerError || got != "sorry\n" {
						t.Errorf("answered %d %q, want the recoverer's page", res.StatusCode, got)
					}
					if got := strings.Join(s.calls(), " "); got != "load" {
						t.Errorf("calls of the store: %s, want the load alone", got)
					}
					if got := log.kinds(); got != "dropped: handler panicked" && got != "dropped: handler failed" {
						t.Errorf("events: %q", got)
					}
					if data := peek(m, b); data.Count != 0 || data.name() != "ada" {
						t.Errorf("stored %+v", data)
					}
				})
			}
		}
	}
}

// HandlerFunc alone sees the panic, and net/http's server ends the connection. So does
// a goroutine that ends.
func TestPromise19_NobodyRecovers(t *testing.T) {
	t.Parallel()
	for how, stop := range map[string]func(){
		"panic":  func() { panic(http.ErrAbortHandler) },
		"Goexit": runtime.Goexit,
	} {
		for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{
			"HandlerFunc": declaring,
			"Load":        func(m *session.Manager[account], do handler) http.Handler { return m.Handler(asking(m, do)) },
		} {
			t.Run(how+"/"+kind, func(t *testing.T) {
				t.Parallel()
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s})
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { _ = recover() }()
					serve(m, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
						defer w.WriteHeader(http.StatusOK)
						change(s)
						stop()
					}).ServeHTTP(httptest.NewRecorder(), newBrowser().request("GET", "/"))
				}()
				<-done
				if n := len(records(t, s)); n != 0 {
					t.Errorf("%d records", n)
				}
			})
		}
	}
}

// A handler may recover from its own panic; what it answers then, with whatever
// status, saves nothing.
func TestPromise19_AHandlerRecoversByItself(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusOK, http.StatusSeeOther, http.StatusBadRequest, http.StatusInternalServerError} {
		for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{
			"HandlerFunc": declaring,
			"Load":        func(m *session.Manager[account], do handler) http.Handler { return m.Handler(asking(m, do)) },
		} {
			t.Run(fmt.Sprint(code, " ", kind), func(t *testing.T) {
				t.Parallel()
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s})
				res := answer(serve(m, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					defer func() {
						if recover() != nil {
							w.WriteHeader(code)
							fmt.Fprint(w, "sorry")
						}
					}()
					change(s)
					panic("oops")
				}), newBrowser().request("GET", "/"))
				if got := body(t, res); res.StatusCode != code || got != "sorry" || len(res.Cookies()) != 0 {
					t.Errorf("answered %d %q with %v", res.StatusCode, got, res.Cookies())
				}
				if n := len(records(t, s)); n != 0 {
					t.Errorf("%d records", n)
				}
			})
		}
	}
}

// A function that panics, or ends its goroutine, leaves nothing half changed: a handler that recovers
// goes on with the other changes.
func TestPromise19_TheFunctionOfUpdatePanics(t *testing.T) {
	t.Parallel()
	half := func(a *account) { a.Count, a.Tags = 99, append(a.Tags, "half"); panic("oops") }
	recovered := func(do func()) {
		defer func() { _ = recover() }()
		do()
	}
	for kind, try := range map[string]func(context.Context, *session.Session[account]){
		"Update": func(_ context.Context, s *session.Session[account]) { recovered(func() { s.Update(half) }) },
		"Goexit": func(_ context.Context, s *session.Session[account]) {
			var wg sync.WaitGroup
			wg.Go(func() { s.Update(func(a *account) { a.Count = 99; runtime.Goexit() }) })
			wg.Wait()
		},
		"Take": func(ctx context.Context, s *session.Session[account]) {
			recovered(func() { _, _ = session.Take(ctx, s, func(a *account) int { half(a); return 1 }) })
		},
		"Take, in its second run": func(ctx context.Context, s *session.Session[account]) {
			runs := 0
			recovered(func() {
				_, _ = session.Take(ctx, s, func(a *account) int {
					if a.Count = 99; runs > 0 {
						half(a)
					}
					runs++
					return 1
				})
			})
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			putTags(m, b, "a", "b")
			res := do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
				try(r.Context(), s)
				if a := s.Data(); a.Count != 0 || len(a.Tags) != 2 || a.name() != "ada" {
					t.Errorf("the handler goes on with %+v", a)
				}
				s.Update(func(a *account) { a.Count++ })
			})
			if res.StatusCode != http.StatusOK {
				t.Errorf("answered %d", res.StatusCode)
			}
			if a := peek(m, b); a.Count != 1 || len(a.Tags) != 2 || a.name() != "ada" {
				t.Errorf("stored is %+v", a)
			}
		})
	}
}

// What the handler changes after the header is dropped as well, where the recoverer
// shows that there was a panic.
func TestPromise19_APanicAfterTheHeader(t *testing.T) {
	t.Parallel()
	for place, build := range map[string]func(own middleware) []middleware{
		"outside": func(own middleware) []middleware { return []middleware{recovering, own} },
		"inside":  func(own middleware) []middleware { return []middleware{own, recovering} },
		"alone":   func(own middleware) []middleware { return []middleware{own, recovering, own} },
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{})
			b := newBrowser()
			login(t, m, b, "ada")
			b.visit(chain(asking(m, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.Count = 1 })
				fmt.Fprint(w, "the page")
				s.Update(func(a *account) { a.Count = 2 })
				panic("oops")
			}), build(m.Handler)...), "/")
			if got := peek(m, b).Count; got != 1 {
				t.Errorf("the counter is %d, want 1: what left with the header", got)
			}
		})
	}
}
