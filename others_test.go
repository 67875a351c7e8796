package session_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// A role is taken away everywhere at the next request, also where a request is under way.
func TestUpdateOwnerChangesOtherSessions(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	a, b, other := loginAs(t, m, "user:1"), loginAs(t, m, "user:1"), loginAs(t, m, "user:2")
	for _, b := range []*browser{a, b, other} {
		putTags(m, b, "admin")
	}
	demote := func(a *account) { a.Tags = nil }
	do(m, a.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count++ })
		if n, err := m.UpdateOwner(r.Context(), "user:1", demote); n != 2 || err != nil {
			t.Errorf("UpdateOwner: %d, %v; want 2", n, err)
		}
		s.Update(func(a *account) { a.Count++ })
	})
	if x, y, z := peek(m, a), peek(m, b), peek(m, other); x.Tags != nil || x.Count != 2 || y.Tags != nil || len(z.Tags) != 1 {
		t.Errorf("stored: %+v, %+v; another user's: %+v", x, y, z)
	}
	if n, err := m.UpdateOwner(t.Context(), "user:1", demote); n != 0 || err != nil {
		t.Errorf("again: %d, %v; want none to change", n, err)
	}
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if n, err := m.UpdateOwner(r.Context(), "user:1", func(a *account) { a.Count = 9 }, s); n != 1 || err != nil {
			t.Errorf("all but one: %d, %v", n, err)
		}
		if n, err := m.UpdateSession(r.Context(), "user:1", s.Digest(), func(a *account) { a.Count = 7 }); !n || err != nil {
			t.Errorf("UpdateSession: %v, %v", n, err)
		}
		if n, err := m.UpdateSession(r.Context(), "user:2", s.Digest(), func(a *account) { a.Count = 8 }); n || err != nil {
			t.Errorf("UpdateSession of another user's: %v, %v", n, err)
		}
	})
	if x, y := peek(m, a).Count, peek(m, b).Count; x != 9 || y != 7 {
		t.Errorf("stored: %d and %d, want 9 and 7", x, y)
	}
}

// It is no use of the session: only the members that change are written anew.
func TestUpdateOwnerLeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	clk := newClock()
	kept := memstore.New(memstore.Config{Now: clk.now, SweepInterval: -1})
	m := newManager[account](t, session.Config{Store: kept, Now: clk.now, IdleTimeout: time.Hour, Cookie: session.Cookie{MaxAge: 30 * time.Minute}})
	b := loginAs(t, m, "user:1")
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.SetCookie(session.Cookie{MaxAge: 20 * time.Minute, SameSite: session.SameSiteStrict})
	})
	before := records(t, kept)[0]
	before.Data = bytes.Replace(before.Data, []byte(`"count":0`), []byte(`"count":0,"theirs":[1, 9007199254740993]`), 1)
	if _, err := kept.Update(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	info := list(t, m, "user:1")[0]
	clk.advance(5 * time.Minute)
	if n, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count, a.Tags = 3, []string{"new"} }); n != 1 || err != nil {
		t.Fatalf("UpdateOwner: %d, %v", n, err)
	}
	after, now := records(t, kept)[0], list(t, m, "user:1")[0]
	want := bytes.Replace(before.Data, []byte(`"count":0`), []byte(`"count":3`), 1)
	want = bytes.Replace(want, []byte(`,"__nestsession"`), []byte(`,"tags":["new"],"__nestsession"`), 1)
	if !bytes.Equal(after.Data, want) || !after.Expires.Equal(before.Expires) || after.Owner != before.Owner {
		t.Errorf("stored:\n%s\nwant:\n%s", after.Data, want)
	}
	if !now.LastUsed.Equal(info.LastUsed) || !now.Expires.Equal(info.Expires) || !now.Created.Equal(info.Created) || now.Digest != info.Digest {
		t.Errorf("listed with last use %v, before %v", now.LastUsed, info.LastUsed)
	}
}

// Requests that save, renew and end sessions at the same time: nothing is lost, and
// nothing revived.
func TestUpdateOwnerAmongBusySessions(t *testing.T) {
	t.Parallel()
	const n, saves = 24, 8
	m := newManager[account](t, session.Config{})
	browsers := make([]*browser, n)
	for i := range browsers {
		browsers[i] = loginAs(t, m, "user:1")
		putTags(m, browsers[i], "admin")
	}
	var busy sync.WaitGroup
	for i, b := range browsers {
		busy.Go(func() {
			for k := range saves {
				do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Count++ })
					if k == saves/2 && i%3 == 0 {
						if err := s.Renew(r.Context()); err != nil {
							t.Errorf("Renew: %v", err)
						}
					}
					if k == saves/2 && i%3 == 1 {
						if err := s.Destroy(r.Context()); err != nil {
							t.Errorf("Destroy: %v", err)
						}
					}
				})
			}
		})
	}
	for range 3 {
		if _, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Tags = nil }); err != nil {
			t.Errorf("UpdateOwner: %v", err)
		}
	}
	busy.Wait()
	for i, b := range browsers {
		a := peek(m, b)
		if i%3 != 1 && (a.Count != saves || a.Tags != nil || a.name() != "user:1") || i%3 == 1 && a.name() != "" {
			t.Errorf("%d: stored is %+v", i, a)
		}
	}
}

// The record changes hands, or goes, between the listing and the write.
func TestUpdateOwnerOfSessionsThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile handler
		changed   int
		count     int
	}{
		"a save":        {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(adding("x")) }, 1, 11},
		"another owner": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:2") }, 0, 0},
		"a renewal":     {func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) }, 1, 10},
		"a logout":      {func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) }, 0, 0},
		"a new beginning": {func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
		}, 0, 0},
	} {
		kept := newHooked(t)
		m := newManager[account](t, session.Config{Store: kept})
		b := loginAs(t, m, "user:1")
		kept.before = func(_ context.Context, op, _ string) error {
			if op == "update" {
				kept.before = nil
				do(m, b, c.meanwhile)
			}
			return nil
		}
		if n, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count += 10 }); n != c.changed || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, n, err, c.changed)
		}
		if n := peek(m, b).Count; n != c.count {
			t.Errorf("%s: stored is %d, want %d", name, n, c.count)
		}
	}
}

func TestUpdateOwnerRefusesWhatCannotBeReplayed(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept, MaxBytes: 1000})
	b := loginAs(t, m, "user:1")
	n := 0
	for name, c := range map[string]struct {
		fn   func(*account)
		want error
	}{
		"not repeatable": {func(a *account) { n++; a.Count = n }, session.ErrUnrepeatable},
		"too large":      {func(a *account) { a.Tags = []string{string(make([]byte, 1000))} }, session.ErrTooLarge},
	} {
		if changed, err := m.UpdateOwner(t.Context(), "user:1", c.fn); changed != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: %d, %v", name, changed, err)
		}
	}
	if a := peek(m, b); a.Count != 0 || a.Tags != nil {
		t.Errorf("stored is %+v", a)
	}
	kept.before = failing("update")
	if changed, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count = 1 }); changed != 0 || !errors.Is(err, errDown) {
		t.Errorf("with a store that is down: %d, %v", changed, err)
	}
	plain := newManager[account](t, session.Config{Store: struct{ store.Store }{kept.inner}})
	if _, err := plain.UpdateOwner(t.Context(), "user:1", func(*account) {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("with a store that does not list: %v", err)
	}
}

// A function that panics does so in the caller, whose server recovers, and not in the process.
func TestUpdateOwnerPanicsInTheCaller(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	loginAs(t, m, "user:1")
	defer func() {
		if recover() != "a bug" {
			t.Error("no panic came")
		}
	}()
	_, _ = m.UpdateOwner(t.Context(), "user:1", func(*account) { panic("a bug") })
}

// beforeList is a store that runs a function before it lists for the nth time.
type beforeList struct {
	*hooked
	lists int
	runs  func(nth int)
}

func (s *beforeList) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	s.lists++
	s.runs(s.lists)
	l, _ := store.As[store.Lister](s.inner)
	return l.List(ctx, owner)
}

// The owner's sessions are listed again, for those that began meanwhile. One that has
// another id by then was changed already.
func TestUpdateOwnerLooksAgain(t *testing.T) {
	t.Parallel()
	kept := &beforeList{hooked: newHooked(t)}
	m := newManager[account](t, session.Config{Store: kept})
	b := loginAs(t, m, "user:1")
	var late *browser
	kept.runs = func(nth int) {
		if nth == 2 {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) })
			late = loginAs(t, m, "user:1")
		}
	}
	if n, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count++ }); n != 2 || err != nil {
		t.Errorf("UpdateOwner: %d, %v; want 2", n, err)
	}
	if x, y := peek(m, b).Count, peek(m, late).Count; x != 1 || y != 1 {
		t.Errorf("changed %d and %d times, want once each", x, y)
	}
}
