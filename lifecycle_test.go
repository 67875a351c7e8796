package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
)

func TestDestroyEndsTheSession(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	log.take()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		digest := ses.Digest()
		if err := ses.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
		if n := len(records(t, s)); n != 0 {
			t.Errorf("%d records after Destroy", n)
		}
		ses.Update(func(a *account) { a.Count++ })
		ses.Touch()
		ses.SetOwner("user:1")
		ses.SetMaxAge(time.Hour)
		if data := ses.Data(); data.User != nil || data.Count != 0 || ses.ID() != "" {
			t.Errorf("after Destroy: id %q, data %+v", ses.ID(), data)
		}
		for name, err := range map[string]error{
			"Save": ses.Save(r.Context()), "Reload": ses.Reload(r.Context()), "Renew": ses.Renew(r.Context()),
		} {
			if !errors.Is(err, session.ErrRevoked) {
				t.Errorf("%s after Destroy returned %v, want ErrRevoked", name, err)
			}
		}
		if err := ses.Destroy(r.Context()); err != nil {
			t.Errorf("second Destroy: %v", err)
		}
		if e := log.take(); len(e) != 1 || e[0].Kind != session.EventDestroyed || e[0].Digest != digest {
			t.Errorf("events: %+v", e)
		}
	})
	if b.cookie() != "" {
		t.Errorf("the browser keeps the cookie %q", b.cookie())
	}
	if n := len(records(t, s)); n != 0 {
		t.Errorf("%d records at the end", n)
	}
}

// A Destroy that failed is tried again before the response is sent; if that fails too
// the client does not get a page that says goodbye.
func TestADestroyThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"update"} {
		for _, recovers := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s recovers=%v", op, recovers), func(t *testing.T) {
				t.Parallel()
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s})
				b := newBrowser()
				login(t, m, b, "ada")
				old := b.fork()
				res := do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
					s.before = failing(op)
					if err := ses.Destroy(r.Context()); !errors.Is(err, errDown) {
						t.Errorf("Destroy returned %v", err)
					}
					if ses.Data().User != nil {
						t.Error("a session that is being destroyed shows its data")
					}
					if recovers {
						s.before = nil
					}
					_, _ = w.Write([]byte("the page"))
				})
				s.before = nil
				if !recovers {
					wantErrorAlone(t, res, http.StatusServiceUnavailable)
					if b.cookie() == "" {
						t.Error("the cookie is gone, so that the client cannot try again")
					}
					return
				}
				if who := whoami(m, old); res.StatusCode != 200 || who != "" || b.cookie() != "" {
					t.Errorf("answered %d, the old cookie is logged in as %q, the browser has %q", res.StatusCode, who, b.cookie())
				}
			})
		}
	}
}

// A client that goes away in the midst of its logout is logged out.
func TestALogoutOutlivesItsClient(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	ctx, leave := context.WithCancel(t.Context())
	answer(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		leave()
		if err := s.Destroy(r.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("Destroy returned %v", err)
		}
	}), b.request("GET", "/").WithContext(ctx))
	if who := whoami(m, b); who != "" {
		t.Errorf("still logged in as %q", who)
	}
}

func TestDestroyThenRegenerateBeginsAnew(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	old := b.fork()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
		if err := s.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		s.Update(func(a *account) { a.User = &user{Name: "bob"} })
	})
	if who, was := whoami(m, b), whoami(m, old); who != "bob" || was != "" {
		t.Errorf("logged in as %q, and with the old cookie as %q", who, was)
	}
}

func TestRegenerateTwiceThenSaveStoresOneSession(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	res := do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		for i := range 3 {
			if err := ses.Regenerate(r.Context()); err != nil {
				t.Errorf("Regenerate: %v", err)
			}
			ses.Update(func(a *account) { a.Count = i })
			if err := ses.Save(r.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
	})
	if n := len(records(t, s)); n != 1 || len(res.Cookies()) != 1 {
		t.Errorf("%d records, %d cookies", n, len(res.Cookies()))
	}
	if got := peek(m, b).Count; got != 2 {
		t.Errorf("count %d", got)
	}
}

func TestDiscardLeavesTheSessionAlone(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{TouchInterval: -1}, Cookie: session.Cookie{MaxAge: time.Hour}, Rolling: true})
	b := newBrowser()
	login(t, m, b, "ada")
	s.calls()
	res := do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count++ })
		ses.Discard()
		ses.Update(func(a *account) { a.Count++ })
		if err := ses.Save(r.Context()); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("Save returned %v", err)
		}
	})
	if got := strings.Join(s.calls(), " "); got != "load" || len(res.Cookies()) != 0 {
		t.Errorf("calls of the store: %s; cookies %v", got, res.Cookies())
	}
	if data := peek(m, b); data.name() != "ada" || data.Count != 0 {
		t.Errorf("the session has %+v", data)
	}
}

func TestReloadShowsWhatOthersSaved(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Reload(r.Context()); !errors.Is(err, session.ErrNotSaved) {
			t.Errorf("Reload of a new session returned %v, want ErrNotSaved", err)
		}
	})
	login(t, m, b, "ada")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count = 99 })
		s.SetOwner("user:99")
		s.SetMaxAge(time.Minute)
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, other *session.Session[account]) {
			other.Update(func(a *account) { a.Count = 1 })
			other.SetOwner("user:1")
		})
		if err := s.Reload(r.Context()); err != nil {
			t.Errorf("Reload: %v", err)
		}
		if s.Data().Count != 1 || s.Owner() != "user:1" || s.Cookie().MaxAge != 0 {
			t.Errorf("after Reload: %+v, owner %q, max age %v", s.Data(), s.Owner(), s.Cookie().MaxAge)
		}
		s.Update(func(a *account) { a.Count++ })
	})
	if got := peek(m, b).Count; got != 2 {
		t.Errorf("count %d, want 2", got)
	}
}

// A Reload that the store fails leaves the request what it has.
func TestAReloadThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count = 5 })
		s.before = failing("load")
		if err := ses.Reload(r.Context()); !errors.Is(err, errDown) {
			t.Errorf("Reload returned %v", err)
		}
		s.before = nil
	})
	if got := peek(m, b).Count; got != 5 {
		t.Errorf("count %d, want 5", got)
	}
}

// Save by hand stores at once, and what comes afterwards is saved at the end.
func TestSaveByHand(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	res := do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count = 1 })
		if err := ses.Save(r.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
		if ses.IsNew() || len(records(t, s)) != 1 {
			t.Errorf("after Save: new %v, %d records", ses.IsNew(), len(records(t, s)))
		}
		ses.Update(func(a *account) { a.Count++ })
	})
	if len(res.Cookies()) != 1 {
		t.Errorf("cookies: %v", res.Cookies())
	}
	if got := peek(m, b).Count; got != 2 {
		t.Errorf("count %d, want 2", got)
	}
	if got := strings.Join(s.calls(), " "); got != "create update load" {
		t.Errorf("calls of the store: %s", got)
	}

	// An empty session that is saved by hand is stored as well, and its client told.
	b = newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		if err := ses.Save(r.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if b.cookie() == "" {
		t.Error("the client did not get the cookie of a session that was saved")
	}
}

// A save by hand that failed is tried again at the end with everything that was
// recorded, once.
func TestASaveByHandThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count++ })
		s.before = failing("update")
		if err := ses.Save(r.Context()); !errors.Is(err, errDown) {
			t.Errorf("Save returned %v", err)
		}
		s.before = nil
		ses.Update(func(a *account) { a.Count++ })
	})
	if got := peek(m, b).Count; got != 2 {
		t.Errorf("count %d, want 2", got)
	}
}

// The session's methods may be called by several goroutines of a request.
func TestGoroutinesOfOneRequestShareTheSession(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	full(t, m, b)
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 20 {
					data := s.Data()
					for key := range data.Keys { // nobody writes to what Data returned
						_ = key
					}
					s.Update(func(a *account) {
						a.Keys[fmt.Sprint(i)] = true
						a.Count++
					})
					_, _, _, _ = s.ID(), s.Digest(), s.Expires(), s.Cookie()
					s.Touch()
					if i%4 == 0 {
						if err := s.Save(r.Context()); err != nil {
							t.Errorf("Save: %v", err)
						}
					}
				}
			})
		}
		wg.Wait()
	})
	if got := peek(m, b); got.Count != 161 || len(got.Keys) != 9 {
		t.Errorf("count %d, %d keys", got.Count, len(got.Keys))
	}
}

// A renewal leaves no goroutine, timer or record behind.
func TestNothingRunsAfterARequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		m := newManager[account](t, session.Config{})
		b := newBrowser()
		login(t, m, b, "ada")
		for range 10 {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.Count++ })
				if err := s.Renew(r.Context()); err != nil {
					t.Errorf("Renew: %v", err)
				}
			})
		}
		endings["Destroy"](t, m, b)
	}) // which fails where a goroutine is left
}

// Discard is taken back by Destroy: a logout counts whatever came before it.
func TestDestroyAfterDiscard(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := newBrowser()
	login(t, m, b, "ada")
	old := b.fork()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.Discard()
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	})
	if who := whoami(m, old); who != "" || b.cookie() != "" {
		t.Errorf("logged in as %q, cookie %q", who, b.cookie())
	}
}

// A logout under an id that was renewed a moment ago removes both records.
func TestDestroyUnderAnOldID(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s})
		b := newBrowser()
		login(t, m, b, "ada")
		old := b.fork()
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) })
		do(m, old, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			if fails {
				s.before = failing("update")
			}
			if err := ses.Destroy(r.Context()); (err != nil) != fails {
				t.Errorf("Destroy: %v", err)
			}
			s.before = nil
		})
		if n := len(records(t, s)); n != 0 || whoami(m, b) != "" {
			t.Errorf("%d records, logged in as %q", n, whoami(m, b))
		}
	}
}

// After a Destroy that failed, Regenerate ends the session after all.
func TestRegenerateAfterADestroyThatFailed(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	old := b.fork()
	log.take()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		s.before = failing("update")
		if err := ses.Destroy(r.Context()); !errors.Is(err, errDown) {
			t.Errorf("Destroy: %v", err)
		}
		s.before = nil
		if err := ses.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		ses.Update(func(a *account) { a.User = &user{Name: "bob"} })
	})
	if who, was := whoami(m, b), whoami(m, old); who != "bob" || was != "" || len(records(t, s)) != 1 {
		t.Errorf("logged in as %q, with the old cookie as %q", who, was)
	}
	if got := log.kinds(); got != "save failed, regenerated, created, rejected: superseded" {
		t.Errorf("events: %q", got)
	}
}

// What was set on a session and not saved does not go over to the next one.
func TestRegenerateForgetsWhatWasSet(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	for _, member := range []bool{true, false} {
		b := newBrowser()
		if member {
			login(t, m, b, "ada")
		}
		s.calls()
		do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			ses.SetOwner("user:1")
			ses.SetMaxAge(time.Hour)
			ses.Touch()
			ses.Update(func(a *account) { a.Count++ })
			if err := ses.Regenerate(r.Context()); err != nil {
				t.Errorf("Regenerate: %v", err)
			}
			if ses.Owner() != "" || ses.Cookie().MaxAge != 0 {
				t.Errorf("owner %q, max age %v", ses.Owner(), ses.Cookie().MaxAge)
			}
		})
		want := ""
		if member {
			want = "load update"
		}
		if got := strings.Join(s.calls(), " "); got != want || b.cookie() != "" {
			t.Errorf("calls of the store: %q, want %q; cookie %q", got, want, b.cookie())
		}
	}
}

// Renew of a session that nobody has yet gives it another id.
func TestRenewOfANewSession(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count++ })
		id := ses.ID()
		if err := ses.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
		if ses.ID() == id || ses.Data().Count != 1 {
			t.Errorf("same id %v, data %+v", ses.ID() == id, ses.Data())
		}
	})
	if got := log.kinds(); got != "created" || peek(m, b).Count != 1 {
		t.Errorf("events %q, data %+v", got, peek(m, b))
	}
}

// What is done after the headers are sent is done at the end, each thing by itself.
func TestEachThingAfterTheHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does  handler
		calls string
		check func(*testing.T, *session.Manager[account], *browser)
	}{
		"an owner": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:1") }, "update",
			func(t *testing.T, m *session.Manager[account], _ *browser) {
				if n := len(list(t, m, "user:1")); n != 1 {
					t.Errorf("the owner has %d sessions", n)
				}
			}},
		"a max age": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetMaxAge(time.Hour) }, "update",
			func(t *testing.T, m *session.Manager[account], _ *browser) {
				if left := time.Until(list(t, m, "")[0].Expires); left > time.Hour || left < 50*time.Minute {
					t.Errorf("the session ends in %v", left)
				}
			}},
		"a touch": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() }, "touch", nil},
		"nothing": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { _ = s.Data() }, "", nil},
		"a logout that fails at first": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Destroy(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Destroy: %v", err)
			}
		}, "update update", func(t *testing.T, m *session.Manager[account], b *browser) {
			if who := whoami(m, b); who != "" {
				t.Errorf("logged in as %q", who)
			}
		}},
		"a change that was taken back": {func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count++ })
			s.Discard()
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s})
			b := newBrowser()
			login(t, m, b, "ada")
			do(m, b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				w.(http.Flusher).Flush()
				s.calls()
				c.does(w, r, ses)
			})
			if got := strings.Join(s.calls(), " "); got != c.calls {
				t.Errorf("calls of the store: %q, want %q", got, c.calls)
			}
			if c.check != nil {
				c.check(t, m, b)
			}
		})
	}
}

// A framework that commits when the headers are sent already: what exists is saved, and
// no new session is stored that its client would not hear of.
func TestCommitAfterTheHeaderAlone(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	ses, err := m.Open(newBrowser().request("GET", "/"))
	if err != nil {
		t.Fatal(err)
	}
	ses.Update(func(a *account) { a.Count++ })
	if err := m.Commit(t.Context(), ses, nil); err != nil {
		t.Errorf("Commit: %v", err)
	}
	if got := log.kinds(); got != "dropped: header already sent" || len(records(t, s)) != 0 {
		t.Errorf("events %q, %d records", got, len(records(t, s)))
	}
}

// The context of a save ends with it, so that nothing of a store's waits for it.
func TestTheContextOfASaveEndsWithIt(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{TouchInterval: -1}})
	var contexts []context.Context
	s.before = func(ctx context.Context, op, _ string) error {
		if op != "load" {
			contexts = append(contexts, ctx)
			if ctx.Err() != nil {
				t.Errorf("%s: the context has ended before it: %v", op, ctx.Err())
			}
			select {
			case <-ctx.Done():
				t.Errorf("%s: the context has ended before it", op)
			default:
			}
		}
		return nil
	}
	b := newBrowser()
	do(m, b, storing)
	do(m, b, storing)
	do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
	if len(contexts) != 3 {
		t.Fatalf("%d calls", len(contexts))
	}
	for _, ctx := range contexts {
		select {
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("ended with %v", ctx.Err())
			}
		default:
			t.Error("a context goes on after its save")
		}
	}
}
