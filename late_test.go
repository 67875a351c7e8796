package session_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
)

// What comes too late is dropped with a warning, which the log shows as it is by default.
func TestTooLateIsAWarning(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		known bool
		do    func(w http.ResponseWriter, s *session.Session[account])
		after func(s *session.Session[account])
		want  string
	}{
		"a new visitor, after the header": {
			do: func(w http.ResponseWriter, s *session.Session[account]) {
				w.WriteHeader(http.StatusOK)
				count(s)
			},
			want: "dropped: header already sent",
		},
		"a new visitor, after the request": {after: count, want: "dropped: request is over"},
		"a known one, after the request":   {known: true, after: count, want: "dropped: request is over"},
		"an owner, after the request": {
			known: true, want: "dropped: request is over",
			after: func(s *session.Session[account]) { s.SetOwner("user:1") },
		},
		"a lifetime, after the request": {
			known: true, want: "dropped: request is over",
			after: func(s *session.Session[account]) { s.SetMaxAge(time.Hour) },
		},
		"twice": {known: true, after: func(s *session.Session[account]) { count(s); count(s) }, want: "dropped: request is over"},
		"a known one, after the header": {
			known: true,
			do: func(w http.ResponseWriter, s *session.Session[account]) {
				w.WriteHeader(http.StatusOK)
				count(s)
			},
		},
		"reading, after the request": {known: true, after: func(s *session.Session[account]) { s.Data() }},
		"after a panic":              {known: true, do: func(http.ResponseWriter, *session.Session[account]) { panic("oops") }, after: count, want: "dropped: request is over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			var text bytes.Buffer
			m := newManager[account](t, session.Config{OnEvent: log.add, Logger: slog.New(slog.NewTextHandler(&text, nil))})
			b := newBrowser()
			if test.known {
				login(t, m, b, "ada")
			}
			log.take()
			var kept *session.Session[account]
			b.visit(recovering(m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				kept = s
				if test.do != nil {
					test.do(w, s)
				}
			})), "/")
			done := make(chan struct{})
			go func() {
				defer close(done)
				if test.after != nil {
					test.after(kept)
				}
			}()
			<-done
			if got := log.kinds(); got != test.want {
				t.Errorf("events: %q, want %q", got, test.want)
			}
			if warned := strings.Contains(text.String(), "level=WARN"); warned != (test.want != "") {
				t.Errorf("the log says:\n%s", text.String())
			}
			if n := len(list(t, m, "")); (n == 1) != test.known {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// A goroutine of the handler's may still save, by Save.
func TestSaveAfterTheRequest(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	var kept *session.Session[account]
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { kept = s })
	count(kept)
	if err := kept.Save(t.Context()); err != nil {
		t.Errorf("Save: %v", err)
	}
	if got := peek(m, b).Count; got != 1 {
		t.Errorf("the counter is %d", got)
	}
}

// http.TimeoutHandler answers, and discards what the late handler writes. A session that
// the handler has found is saved, as for a client that has left; one that it has made,
// whose cookie nobody gets, does not stay in the store; and neither is silent.
func TestWhatATimeoutHandlerAbandons(t *testing.T) {
	t.Parallel()
	late := map[string]func(http.ResponseWriter, *http.Request){
		"writes": func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			synctest.Wait()
			fmt.Fprint(w, "late")
		},
		"returns": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); synctest.Wait() },
		"wrote": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "early")
			<-r.Context().Done()
			synctest.Wait()
		},
	}
	for how, wait := range late {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprint(how, "/known ", known), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					var log journal
					m := newManager[account](t, session.Config{OnEvent: log.add})
					b := newBrowser()
					if known {
						login(t, m, b, "ada")
					}
					log.take()
					done := make(chan struct{})
					inner := m.HandlerFunc(visits(wait))
					res := b.visit(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(done)
						inner(w, r)
					}), time.Second, "too late"), "/")
					<-done
					if res.StatusCode != http.StatusServiceUnavailable || len(res.Cookies()) != 0 {
						t.Errorf("answered %d with %v", res.StatusCode, res.Cookies())
					}
					want, sessions := "created, cookie not sent: http.TimeoutHandler answered, dropped: http.TimeoutHandler answered", 0
					if known {
						want, sessions = "", 1
						if got := peek(m, b).Count; got != 1 {
							t.Errorf("the counter is %d", got)
						}
					}
					if got := log.kinds(); got != want {
						t.Errorf("events: %q, want %q", got, want)
					}
					if got := len(list(t, m, "")); got != sessions {
						t.Errorf("%d sessions, want %d", got, sessions)
					}
				})
			})
		}
	}
}

// Within Handler, what the handler has changed before and after the timeout is dropped.
func TestWhatATimeoutHandlerWithinAbandons(t *testing.T) {
	t.Parallel()
	for kind, serve := range map[string]func(*session.Manager[account], handler) http.Handler{"HandlerFunc": declaring, "Load": asking} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				var log journal
				m := newManager[account](t, session.Config{OnEvent: log.add})
				b := newBrowser()
				login(t, m, b, "ada")
				log.take()
				answered, done := make(chan struct{}), make(chan struct{})
				w := httptest.NewRecorder()
				m.Handler(http.TimeoutHandler(serve(m, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					defer close(done)
					count(s)
					<-answered
					count(s)
				}), time.Second, "too late")).ServeHTTP(w, b.request("GET", "/"))
				close(answered)
				<-done
				if got := log.kinds(); w.Code != http.StatusServiceUnavailable || got != "dropped: handler failed, dropped: request is over" {
					t.Errorf("answered %d, events: %q", w.Code, got)
				}
				if got := peek(m, b).Count; got != 0 {
					t.Errorf("the counter is %d", got)
				}
			})
		})
	}
}

// Regenerate needs a header as Renew does, also for a session that is new.
func TestRegenerateAfterTheHeader(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	do(m, newBrowser(), func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		w.WriteHeader(http.StatusOK)
		if err := s.Regenerate(r.Context()); err == nil {
			t.Error("Regenerate after the header returned nil")
		}
	})
}
