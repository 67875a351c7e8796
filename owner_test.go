package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// loginAs stores a session of an owner.
func loginAs(t *testing.T, m *session.Manager[account], owner string) *browser {
	t.Helper()
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = &user{Name: owner} })
		s.SetOwner(owner)
	})
	return b
}

func TestListYieldsTheOwnersSessions(t *testing.T) {
	t.Parallel()
	clk := newClock()
	m := newManager[account](t, session.Config{
		Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, IdleTimeout: time.Hour, StoreLimits: session.StoreLimits{TouchInterval: -1},
	})
	born := clk.now()
	first := loginAs(t, m, "user:1")
	clk.advance(time.Minute)
	loginAs(t, m, "user:1")
	loginAs(t, m, "user:2")
	login(t, m, newBrowser(), "nobody's")
	clk.advance(time.Minute)
	do(m, first, func(http.ResponseWriter, *http.Request, *session.Session[account]) {}) // touches
	infos := list(t, m, "user:1")
	if len(infos) != 2 || infos[0].Digest == infos[1].Digest {
		t.Fatalf("user:1 has %+v", infos)
	}
	slices.SortFunc(infos, func(a, b session.Info[account]) int { return a.Created.Compare(b.Created) })
	if i := infos[0]; i.Owner != "user:1" || !i.Created.Equal(born) || !i.LastUsed.Equal(clk.now()) || !i.Expires.Equal(clk.now().Add(time.Hour)) {
		t.Errorf("the first is %+v", i)
	}
	if i := infos[1]; !i.Created.Equal(born.Add(time.Minute)) || !i.LastUsed.Equal(born.Add(time.Minute)) {
		t.Errorf("the second is %+v", i)
	}
	for owner, want := range map[string]int{"user:1": 2, "user:2": 1, "user:3": 0, "": 4} {
		if got := len(list(t, m, owner)); got != want {
			t.Errorf("%q has %d sessions, want %d", owner, got, want)
		}
	}
	for range m.List(t.Context(), "user:1") {
		break // which is free
	}
}

// The owner changes with the session: at logout, at another login, and in whichever
// request was last.
func TestTheOwnerFollowsTheSession(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := loginAs(t, m, "user:1")
	owners := func() string { return fmt.Sprint(len(list(t, m, "user:1")), len(list(t, m, "user:2"))) }
	for _, step := range []struct {
		name, want string
		h          handler
	}{
		{"reading", "1 0", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			if s.Owner() != "user:1" {
				t.Errorf("the owner is %q", s.Owner())
			}
		}},
		{"a change of data", "1 0", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
		}},
		{"another owner", "0 1", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:2") }},
		{"a renewal", "0 1", func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) }},
		{"none", "0 0", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("") }},
		{"a conflict", "1 0", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.SetOwner("user:1")
			do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.Count++ })
			})
		}},
		{"a regeneration", "0 0", func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
			s.Update(func(a *account) { a.Count++ })
		}},
	} {
		do(m, b, step.h)
		if got := owners(); got != step.want {
			t.Errorf("after %s: sessions of user:1 and user:2: %s, want %s", step.name, got, step.want)
		}
	}
}

// Where the cookie's lifetime is the timeout, it is of when a session was last used.
func TestLastUsedByTheCookiesLifetime(t *testing.T) {
	t.Parallel()
	clk := newClock()
	m := newManager[account](t, session.Config{
		Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, Cookie: session.Cookie{MaxAge: 10 * time.Hour}, StoreLimits: session.StoreLimits{TouchInterval: -1},
	})
	b := loginAs(t, m, "user:1")
	clk.advance(time.Hour)
	do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
	if infos := list(t, m, "user:1"); len(infos) != 1 || !infos[0].LastUsed.Equal(clk.now()) {
		t.Errorf("listed as %+v at %v", infos, clk.now())
	}
}

func TestRevokeEndsOneSession(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	a, b := loginAs(t, m, "user:1"), loginAs(t, m, "user:1")
	var digest string
	do(m, a, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { digest = s.Digest() })
	log.take()
	for _, info := range list(t, m, "user:1") {
		if info.Digest != digest {
			continue
		}
		for range 2 { // the second time it is gone, which is no error
			if err := m.Revoke(t.Context(), info); err != nil {
				t.Errorf("Revoke: %v", err)
			}
		}
	}
	if e := log.take(); len(e) == 0 || e[0].Kind != session.EventRevoked || e[0].Digest != digest || e[0].Owner != "user:1" {
		t.Errorf("events: %+v", e)
	}
	if x, y := whoami(m, a), whoami(m, b); x != "" || y != "user:1" {
		t.Errorf("logged in as %q and %q, want the first to have ended", x, y)
	}
	if err := m.Revoke(t.Context(), session.Info[account]{Owner: "user:1", Digest: digest}); err == nil {
		t.Error("an Info that List did not yield was taken")
	}
}

func TestRevokeOwnerEndsAllOrAllButOne(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	var browsers []*browser
	for range 3 {
		browsers = append(browsers, loginAs(t, m, "user:1"))
	}
	other := loginAs(t, m, "user:2")
	do(m, browsers[1], func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { // changes its password
		if err := s.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
		n, err := m.RevokeOwner(r.Context(), "user:1", s)
		if n != 2 || err != nil {
			t.Errorf("RevokeOwner: %d, %v; want 2", n, err)
		}
		s.Update(func(a *account) { a.Count++ })
	})
	for i, b := range browsers {
		if who := whoami(m, b); (who != "") != (i == 1) {
			t.Errorf("browser %d is logged in as %q", i, who)
		}
	}
	if n, err := m.RevokeOwner(t.Context(), "user:1"); n != 1 || err != nil {
		t.Errorf("RevokeOwner: %d, %v; want 1", n, err)
	}
	if who, else_ := whoami(m, browsers[1]), whoami(m, other); who != "" || else_ != "user:2" {
		t.Errorf("logged in as %q and %q", who, else_)
	}
	if n, err := m.RevokeOwner(t.Context(), "user:1"); n != 0 || err != nil {
		t.Errorf("RevokeOwner of an owner without sessions: %d, %v", n, err)
	}
}

// A request in flight of a session that RevokeOwner ended brings nothing back.
func TestRevokeOwnerHoldsAgainstRequestsInFlight(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := loginAs(t, m, "user:1")
	do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if _, err := m.RevokeOwner(t.Context(), "user:1"); err != nil {
			t.Errorf("RevokeOwner: %v", err)
		}
		s.Update(func(a *account) { a.Count++ })
	})
	if who := whoami(m, b); who != "" || len(list(t, m, "")) != 0 {
		t.Errorf("logged in as %q, %d sessions", who, len(list(t, m, "")))
	}
}

// The request's own session is kept also if another request has renewed it since.
func TestRevokeOwnerKeepsASessionThatWasRenewedMeanwhile(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := loginAs(t, m, "user:1")
	loginAs(t, m, "user:1")
	do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Renew(r.Context()); err != nil {
				t.Errorf("Renew: %v", err)
			}
		})
		if n, err := m.RevokeOwner(r.Context(), "user:1", s); n != 1 || err != nil {
			t.Errorf("RevokeOwner: %d, %v; want 1", n, err)
		}
	})
	if who := whoami(m, b); who != "user:1" {
		t.Errorf("logged in as %q", who)
	}
}

func TestListingNeedsAStoreThatLists(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Store: struct{ store.Store }{newHooked(t).inner}})
	for _, err := range m.List(t.Context(), "user:1") {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("List: %v", err)
		}
	}
	if _, err := m.RevokeOwner(t.Context(), "user:1"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("RevokeOwner: %v", err)
	}
	wrapped := newManager[account](t, session.Config{Store: newHooked(t)})
	if _, err := wrapped.RevokeOwner(t.Context(), "user:1"); err != nil {
		t.Errorf("RevokeOwner through a wrapper: %v", err)
	}
}

// An operator's listing fails as the store does, and says so last.
func TestAListingThatFails(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := loginAs(t, m, "user:1")
	s.before = failing("load", "update", "delete")
	if _, err := m.RevokeOwner(t.Context(), "user:1"); !errors.Is(err, errDown) {
		t.Errorf("RevokeOwner: %v", err)
	}
	s.before = nil
	if who := whoami(m, b); who != "user:1" {
		t.Errorf("logged in as %q", who)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range m.List(ctx, "user:1") {
		n++
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times", n)
	}
}

// OwnerOf reads what a save has written, also when another program has saved it since.
func TestOwnerOf(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, sess *session.Session[account]) {
		sess.SetOwner("user:ä\"42")
		sess.Update(func(a *account) { a.Count = 1 })
	})
	for _, rec := range records(t, s) {
		if owner := session.OwnerOf(rec.Data); owner != "user:ä\"42" {
			t.Errorf("the owner of %s is %q", rec.Data, owner)
		}
	}
	for _, document := range []string{
		"", "null", "[]", "{", `{"owner":"user:1"}`, `{"__nestsession":null}`, `{"__nestsession":{"owner":1}}`, `{"__nestsession":"user:1"}`,
		`{"user":{"__nestsession":{"owner":"user:1"}}}`,
	} {
		if owner := session.OwnerOf([]byte(document)); owner != "" {
			t.Errorf("the owner of %s is %q", document, owner)
		}
	}
}

// staleIndex is a store whose index names sessions that have changed hands since.
type staleIndex struct{ *hooked }

func (s staleIndex) List(ctx context.Context, _ string) iter.Seq2[store.Record, error] {
	l, _ := store.As[store.Lister](s.inner)
	return l.List(ctx, "")
}

// A session that another user has taken over is not ended with the first user's.
func TestListingAsksTheDocument(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: staleIndex{s}})
	ada, bob := newBrowser(), newBrowser()
	for b, owner := range map[*browser]string{ada: "user:ada", bob: "user:bob"} {
		login(t, m, b, owner)
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, sess *session.Session[account]) { sess.SetOwner(owner) })
	}
	if n, err := m.RevokeOwner(t.Context(), "user:ada"); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if who := whoami(m, bob); who != "user:bob" {
		t.Errorf("bob is %q", who)
	}
}

// An owner that would come back as another one is refused where it is given.
func TestAnOwnerThatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "user:\xff"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("Login: %v", err)
		}
		s.SetOwner("user:\xff")
		if err := s.Save(r.Context()); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("Save: %v", err)
		}
		s.SetOwner("")
	})
	if got := peek(m, b).name(); got != "ada" {
		t.Errorf("afterwards the session is %q's", got)
	}
}
