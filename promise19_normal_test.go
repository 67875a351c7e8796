package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
)

// A handler that answers with an error of its own, however far from the change, returns
// normally, and its changes are saved. So are those of a panic that is over.
func TestPromise19_ANormalReturnLosesNothing(t *testing.T) {
	t.Parallel()
	fail := func(w http.ResponseWriter) { http.Error(w, "no", http.StatusInternalServerError) }
	handlers := map[string]handler{
		"500": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) { count(s); fail(w) },
		"500 by a helper's helper": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			countFor(s)
			func() { fail(w) }()
		},
		"500 after a callback": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			within(func() { count(s) })
			within(func() { s.Update(func(*account) {}) })
			fail(w)
		},
		"500 after a loop over a function": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			count(s)
			for range func(yield func() bool) { yield() } {
				s.Update(func(*account) {})
			}
			fail(w)
		},
		"500 after a goroutine": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				count(s)
			}()
			<-done
			fail(w)
		},
		"500 deferred": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			defer fail(w)
			count(s)
		},
		"a panic that is over": func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			func() {
				defer func() { _ = recover() }()
				panic("oops")
			}()
			count(s)
			fail(w)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			count(s)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		},
	}
	for how, do := range handlers {
		for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{
			"HandlerFunc": declaring,
			"Load": func(m *session.Manager[account], do handler) http.Handler {
				return m.Handler(recovering(asking(m, do)))
			},
			"errors": func(m *session.Manager[account], do handler) http.Handler { return m.Handler(returning(asking(m, do))) },
		} {
			t.Run(how+"/"+kind, func(t *testing.T) {
				t.Parallel()
				m := newManager[account](t, session.Config{})
				b := newBrowser()
				b.visit(serve(m, do), "/")
				if got := peek(m, b).Count; got != 1 {
					t.Errorf("the counter is %d, want 1", got)
				}
			})
		}
	}
}

func count(s *session.Session[account])    { s.Update(func(a *account) { a.Count++ }) }
func countFor(s *session.Session[account]) { countMore(s) }
func countMore(s *session.Session[account]) {
	count(s)
}
func within(do func()) { do() }

// A 4xx and a 200 that middleware answers after the handler save, whatever became of
// the handler's frames.
func TestPromise19_OnlyA5xxIsSuspect(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 204, 302, 400, 404, 422, 499} {
		m := newManager[account](t, session.Config{})
		b := newBrowser()
		b.visit(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asking(m, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { count(s) }).ServeHTTP(w, r)
			w.WriteHeader(code)
		})), "/")
		if got := peek(m, b).Count; got != 1 {
			t.Errorf("after a %d the counter is %d, want 1", code, got)
		}
	}
}

// A handler that runs in a deferred function of a panic that is not its own saves.
func TestPromise19_AnotherPanicIsNoneOfTheHandlers(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	func() {
		defer func() { _ = recover() }()
		defer b.visit(m.HandlerFunc(visits(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })), "/")
		defer func() {
			b.visit(m.HandlerFunc(visits(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })), "/")
		}()
		panic("somebody else's")
	}()
	if got := peek(m, b).Count; got == 0 {
		t.Error("nothing was saved")
	}
}

// The recoverer's page may be another handler with a session, also another manager's.
func TestPromise19_AnErrorPageWithASession(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	other := newManager[account](t, session.Config{Name: "other"})
	b := newBrowser()
	login(t, m, b, "ada")
	for name, page := range map[string]http.Handler{
		"own": m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			fmt.Fprint(w, "sorry, ", s.Data().name())
		}),
		"another manager's": other.HandlerFunc(func(w http.ResponseWriter, r *http.Request, _ *session.Session[account]) {
			s, _ := m.From(r.Context())
			fmt.Fprint(w, "sorry, ", s.Data().name())
		}),
	} {
		t.Run(name, func(t *testing.T) {
			res := b.visit(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					_ = recover()
					page.ServeHTTP(w, r)
				}()
				s, _ := m.From(r.Context())
				s.Update(func(a *account) { a.Count++ })
				panic("oops")
			})), "/")
			if got := body(t, res); got != "sorry, ada" {
				t.Errorf("the page is %q", got)
			}
			if got := peek(m, b).Count; got != 0 {
				t.Errorf("the counter is %d", got)
			}
		})
	}
}

// Whoever recovers outside of HandlerFunc has the session as it was, and may go on.
func TestPromise19_TheSessionGoesOnWithoutTheChanges(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	b.visit(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		func() {
			defer func() { _ = recover() }()
			m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User.Name, a.Count = "eve", 7 })
				change(s)
				panic("oops")
			})(httptest.NewRecorder(), r)
		}()
		s, _ := m.From(r.Context())
		if data := s.Data(); data.name() != "ada" || data.Count != 0 || s.Owner() != "" {
			t.Errorf("the session holds %+v of %q after the panic", data, s.Owner())
		}
		s.Update(func(a *account) { a.Tags = append(a.Tags, "failed") })
	})), "/")
	if data := peek(m, b); data.name() != "ada" || len(data.Tags) != 1 || len(list(t, m, "user:1")) != 0 {
		t.Errorf("stored %+v", data)
	}
}

// A change in middleware after the handler has returned is dropped if that panics.
func TestPromise19_MiddlewarePanicsAfterTheHandler(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	b.visit(m.Handler(recovering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { change(s) })(w, r)
		panic("oops")
	}))), "/")
	if got := peek(m, b).Count; got != 0 {
		t.Errorf("the counter is %d", got)
	}
}

var errOops = errors.New("oops")

// The error handler's page, and a panic of it, save nothing either.
func TestPromise19_TheErrorHandlerPanics(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(errOops) }})
	s.before = func(_ context.Context, op, _ string) error {
		if op == "create" {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	func() {
		defer func() {
			if p := recover(); p != error(errOops) {
				t.Errorf("recovered %v", p)
			}
		}()
		do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { count(s) })
	}()
	if n := len(records(t, s)); n != 0 {
		t.Errorf("%d records", n)
	}
}
