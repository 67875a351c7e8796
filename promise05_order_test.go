package session_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// A redirect leaves after the save, however long that takes: the client that follows
// it finds what was saved.
func TestPromise05_ARedirectIsAnsweredAfterTheSave(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		const slow = 150 * time.Millisecond
		s := newHooked(t)
		var saved time.Time
		s.before = func(ctx context.Context, op, _ string) error {
			if op == "load" {
				return nil
			}
			select {
			case <-time.After(slow):
			case <-ctx.Done():
				t.Errorf("%s: %v", op, ctx.Err())
			}
			return nil
		}
		s.after = func(context.Context, string, string) error {
			saved = time.Now()
			return nil
		}
		m := newManager[account](t, session.Config{Store: s, Cookie: session.Cookie{Secure: session.SecureAuto}})
		mux := http.NewServeMux()
		mux.HandleFunc("/login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.User = &user{Name: "ada"} })
			http.Redirect(w, r, "/me", http.StatusSeeOther)
		}))
		mux.HandleFunc("/me", m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			fmt.Fprint(w, s.Data().name())
		}))
		client := pipeServer(t, mux)
		var left time.Time
		client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			left = time.Now()
			return nil
		}
		begun := time.Now()
		res, err := client.Get("http://shop.test/login")
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, res); got != "ada" {
			t.Errorf("the page after the redirect says %q, want ada", got)
		}
		if took := left.Sub(begun); took < slow {
			t.Errorf("the redirect left after %v, before the store that takes %v was through", took, slow)
		}
		if saved.Before(begun.Add(slow)) {
			t.Errorf("saved after %v", saved.Sub(begun))
		}
	})
}

// A client that goes away does not undo what its request did: the save goes on.
func TestPromise05_AClientThatGoesAwayIsSaved(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s, Cookie: session.Cookie{Secure: session.SecureAuto}})
		working, answered := make(chan struct{}), make(chan struct{})
		client := pipeServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(answered)
			m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
				close(working)
				<-r.Context().Done() // the server has seen it
			})(w, r)
		}))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-working
			leave()
		}()
		r, err := http.NewRequestWithContext(ctx, "GET", "http://shop.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
			t.Error("the client got a response")
		}
		<-answered
		if n := len(records(t, s)); n != 1 {
			t.Errorf("%d records, want the session", n)
		}
	})
}

// The save for a client that has gone is bounded by SaveTimeout.
func TestPromise05_TheSaveIsBounded(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Second} {
		want := timeout
		if want == 0 {
			want = session.DefaultSaveTimeout
		}
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newHooked(t)
				s.before = func(ctx context.Context, op, _ string) error {
					if at, ok := ctx.Deadline(); !ok || time.Until(at) > want {
						t.Errorf("%s has the deadline %v, %v", op, at, ok)
					}
					<-ctx.Done()
					return ctx.Err()
				}
				m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{SaveTimeout: timeout}})
				begun := time.Now()
				ctx, leave := context.WithCancel(t.Context())
				res := answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Count++ })
					leave()
				}), newBrowser().request("GET", "/").WithContext(ctx))
				wantErrorAlone(t, res, http.StatusServiceUnavailable)
				if took := time.Since(begun); took != want {
					t.Errorf("the save was given up after %v, want %v", took, want)
				}
			})
		})
	}
}

// A client waits only for the save of its own session: a store that is slow for one
// session is not slow for another.
func TestPromise05_OneSlowSaveHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	release, held := make(chan struct{}), make(chan struct{})
	m := newManager[account](t, session.Config{Store: s})
	slow := make(chan struct{})
	s.before = func(_ context.Context, op, _ string) error {
		if op == "create" {
			s.before = nil // for the others
			close(held)
			<-release
		}
		return nil
	}
	go func() {
		defer close(slow)
		login(t, m, newBrowser(), "ada")
	}()
	<-held
	b := newBrowser()
	login(t, m, b, "bob")
	if who := whoami(m, b); who != "bob" {
		t.Errorf("logged in as %q", who)
	}
	close(release)
	<-slow
}
