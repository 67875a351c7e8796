package session_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// When and how the user logged in stays with the session, through saves and renewals and on
// other nodes, until the next login.
func TestHowTheUserLoggedIn(t *testing.T) {
	t.Parallel()
	clk := newClock()
	kept := memstore.New(memstore.Config{Now: clk.now})
	t.Cleanup(func() { _ = kept.Close() })
	m := newManager[account](t, session.Config{Store: kept, Now: clk.now})
	other := newManager[account](t, session.Config{Store: kept, Now: clk.now})
	b := newBrowser()
	want := func(what string, at time.Time, by ...string) {
		t.Helper()
		for _, m := range []*session.Manager[account]{m, other} {
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				if !s.AuthenticatedAt().Equal(at) || !slices.Equal(s.AuthenticatedBy(), by) {
					t.Errorf("%s: at %v by %q, want %v by %q", what, s.AuthenticatedAt(), s.AuthenticatedBy(), at, by)
				}
				if s.Data().Count != 1 {
					t.Errorf("%s: the data are %+v", what, s.Data())
				}
				if s.Owner() == "" {
					return
				}
				for info, err := range m.List(t.Context(), s.Owner()) {
					if err != nil || !info.AuthenticatedAt.Equal(at) || !slices.Equal(info.AuthenticatedBy, by) {
						t.Errorf("%s: Info has %v by %q (%v)", what, info.AuthenticatedAt, info.AuthenticatedBy, err)
					}
				}
			})
		}
	}
	act := func(h func(*http.Request, *session.Session[account]) error) {
		t.Helper()
		clk.advance(time.Minute)
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := h(r, s); err != nil {
				t.Error(err)
			}
		})
	}
	login := func(methods ...string) func(*http.Request, *session.Session[account]) error {
		return func(r *http.Request, s *session.Session[account]) error {
			return s.Login(r.Context(), "user:ada", methods...)
		}
	}
	act(func(_ *http.Request, s *session.Session[account]) error {
		s.Update(func(a *account) { a.Count = 1 })
		return nil
	})
	want("a visitor", time.Time{})
	act(login("password"))
	at := clk.now()
	want("a login", at, "password")
	act(func(_ *http.Request, s *session.Session[account]) error {
		s.Update(func(a *account) { a.Tags = append(a.Tags, "x") })
		return nil
	})
	want("a save", at, "password")
	act(func(r *http.Request, s *session.Session[account]) error { return s.Renew(r.Context()) })
	want("a renewal", at, "password")
	// The same user logs in once more, in the same session: the data stay.
	act(login("password", "totp", "gerät", `a"b\c`))
	want("a login by more", clk.now(), "password", "totp", "gerät", `a"b\c`)
	act(login())
	want("a login by no method", clk.now())
}

// A method is a word: the session is as it was if one is not.
func TestMethodsThatAreNoWords(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	for _, method := range []string{"", " ", "a b", "a\u00a0b", "a\n", "\xff"} {
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Login(r.Context(), "user:ada", "password", method); err == nil || s.Owner() != "" || len(s.AuthenticatedBy()) != 0 {
				t.Errorf("%q: %v, owner %q, by %q", method, err, s.Owner(), s.AuthenticatedBy())
			}
		})
	}
}
