package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// listed is a hooked store whose List is hooked, too.
type listed struct{ *hooked }

func (l listed) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := l.call(ctx, "list", owner, func() error {
			for r, err := range l.inner.(store.Lister).List(ctx, owner) {
				if err != nil || !yield(r, nil) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

// tryLogin logs the browser in as ownerName, and returns the status of the response and the
// error of Login.
func tryLogin(m *session.Manager[account], b *browser) (status int, err error) {
	res := do(m, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err = s.Login(r.Context(), ownerName); err != nil {
			status = http.StatusServiceUnavailable
			if errors.Is(err, session.ErrTooManySessions) {
				status = http.StatusConflict
			}
			w.WriteHeader(status)
		}
	})
	return res.StatusCode, err
}

// mustLogin logs browsers in as ownerName, one after the other.
func mustLogin(t *testing.T, m *session.Manager[account], browsers ...*browser) {
	t.Helper()
	for _, b := range browsers {
		if _, err := tryLogin(m, b); err != nil {
			t.Fatal(err)
		}
	}
}

// lives returns which of the browsers are logged in.
func lives(m *session.Manager[account], browsers ...*browser) (live []bool) {
	for _, b := range browsers {
		owner := ""
		answer(m.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			owner = s.Owner()
			s.Discard()
		}), b.request("GET", "/peek"))
		live = append(live, owner == ownerName)
	}
	return live
}

func browsers(n int) (all []*browser) {
	for range n {
		all = append(all, newBrowser())
	}
	return all
}

// without and under the preset.
func limited(t *testing.T, test func(t *testing.T, cfg session.Config)) {
	for name, cfg := range map[string]session.Config{"native": {}, "express": express.Config(secret)} {
		cfg.AbsoluteTimeout = 30 * 24 * time.Hour
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cfg)
		})
	}
}

// A login at the limit ends the session with the oldest login, and says so.
func TestALoginAtTheLimitEndsTheOldest(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		j := &journal{}
		cfg.MaxPerOwner, cfg.OnEvent = session.EndOldest(2), j.add
		cfg.Store = newHooked(t).inner
		here := newManager[account](t, cfg)
		elsewhere := newManager[account](t, cfg)
		b := browsers(4)
		mustLogin(t, here, b[0], b[1])
		r := b[0].request("GET", "/stream")
		s, err := here.Open(r)
		if err != nil {
			t.Fatal(err)
		}
		stream, stop := s.NotifyContext(t.Context())
		defer stop()
		first := s.Digest()
		j.take()
		mustLogin(t, here, b[2])
		<-stream.Done()
		if cause := context.Cause(stream); !errors.Is(cause, session.ErrDisplaced) || !errors.Is(cause, session.ErrRevoked) {
			t.Errorf("the stream of the ended session ended with %v", cause)
		}
		ended := 0
		for _, e := range j.take() {
			if e.Kind == session.EventRevoked {
				ended++
				if e.Reason != session.ReasonLimit || e.Owner != ownerName || e.Digest != first {
					t.Errorf("the end was reported as %+v", e)
				}
			}
		}
		if ended != 1 {
			t.Errorf("%d events of an end", ended)
		}
		mustLogin(t, elsewhere, b[3])
		if got := lives(elsewhere, b...); !slices.Equal(got, []bool{false, false, true, true}) {
			t.Errorf("live: %v", got)
		}
	})
}

// A login at the limit is refused, with an error that an application can show, and an event.
// The session stays as it was. A place is free when a session ends, however it does.
func TestALoginAtTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		j, c := &journal{}, newClock()
		mem := memstore.New(memstore.Config{Now: c.now})
		t.Cleanup(func() { _ = mem.Close() })
		cfg.MaxPerOwner, cfg.OnEvent, cfg.Now, cfg.Store = session.RefuseLogin(1), j.add, c.now, mem
		cfg.Cookie.MaxAge = time.Hour
		m := newManager[account](t, cfg)
		first, second := newBrowser(), newBrowser()
		do(m, second, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			s.Update(func(a *account) { a.Count = 3 }) // a visitor's cart
		})
		cookie := second.cookie()
		ends := map[string]func(){
			"logout": func() {
				do(m, first, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) })
			},
			"regenerate": func() {
				do(m, first, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					_ = s.Regenerate(r.Context())
				})
			},
			"revoke": func() { _, _ = m.RevokeOwner(t.Context(), ownerName) },
			"idle":   func() { c.advance(2 * time.Hour) },
			"another owner's login": func() {
				do(m, first, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					if err := s.Login(r.Context(), "user:another"); err != nil {
						t.Error(err)
					}
				})
			},
			"no owner": func() {
				do(m, first, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("") })
			},
		}
		for name, end := range ends {
			mustLogin(t, m, first)
			j.take()
			for range 2 {
				status, err := tryLogin(m, second.fork())
				if !errors.Is(err, session.ErrTooManySessions) || status != http.StatusConflict {
					t.Fatalf("%s: the second login: %v, %d", name, err, status)
				}
			}
			if got := j.kinds(); got != "login refused: session limit, login refused: session limit" {
				t.Errorf("%s: events: %s", name, got)
			}
			if name != "idle" && (second.cookie() != cookie || peek(m, second).Count != 3) {
				t.Errorf("%s: the visitor's session has changed", name)
			}
			if end(); lives(m, first)[0] {
				t.Fatalf("%s: the session lives", name)
			}
			other := newBrowser()
			mustLogin(t, m, other)
			if _, err := m.RevokeOwner(t.Context(), ownerName); err != nil {
				t.Fatal(err)
			}
			if name == "idle" {
				second = newBrowser()
				do(m, second, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Count = 3 })
				})
				cookie = second.cookie()
			}
		}
	})
}

// A session that is over does not count, although the store still has it: AbsoluteTimeout has
// become shorter. One that its user wants to be remembered counts as long as it lives, and once.
func TestSessionsThatAreOverDoNotCount(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		for name, limit := range map[string]session.OwnerLimit{"EndOldest": session.EndOldest(2), "RefuseLogin": session.RefuseLogin(2)} {
			c := newClock()
			mem := memstore.New(memstore.Config{Now: c.now})
			t.Cleanup(func() { _ = mem.Close() })
			cfg.MaxPerOwner, cfg.Now, cfg.Store = limit, c.now, mem
			cfg.IdleTimeout = 20 * 24 * time.Hour
			m := newManager[account](t, cfg)
			b := browsers(4)
			mustLogin(t, m, b[0])
			do(m, b[0], func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.SetMaxAge(25 * 24 * time.Hour)
			})
			c.advance(3 * time.Hour)
			mustLogin(t, m, b[1])
			cfg.AbsoluteTimeout, cfg.IdleTimeout = 2*time.Hour, 2*time.Hour
			shorter := newManager[account](t, cfg)
			if got := lives(shorter, b...); !slices.Equal(got, []bool{false, true, false, false}) {
				t.Fatalf("%s: with a shorter AbsoluteTimeout are live: %v", name, got)
			}
			mustLogin(t, shorter, b[2])
			if got := lives(shorter, b...); !slices.Equal(got, []bool{false, true, true, false}) {
				t.Errorf("%s: live: %v", name, got)
			}
			if limit == session.RefuseLogin(2) {
				if _, err := tryLogin(shorter, b[3]); !errors.Is(err, session.ErrTooManySessions) {
					t.Errorf("%s: the third login: %v", name, err)
				}
			}
			cfg.AbsoluteTimeout = 30 * 24 * time.Hour
		}
	})
}

// A login in a session of the same owner takes the place of that session, and the login of
// another owner frees it.
func TestALoginInTheSameSessionTakesItsPlace(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		for _, limit := range []session.OwnerLimit{session.EndOldest(2), session.RefuseLogin(2)} {
			cfg.MaxPerOwner = limit
			cfg.Store = newHooked(t).inner
			m := newManager[account](t, cfg)
			b := browsers(2)
			mustLogin(t, m, b...)
			for range 3 {
				mustLogin(t, m, b...)
			}
			do(m, b[0], func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err != nil {
					t.Error(err)
				}
			})
			mustLogin(t, m, b...)
			if got := lives(m, b...); !got[0] || !got[1] {
				t.Errorf("live: %v", got)
			}
		}
	})
}

// A session that was renewed is counted once, also while Renew is at work and when nothing but
// a pointer leads to it, and a login ends it under each of its ids.
func TestTheLimitCountsARenewedSessionOnce(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		for _, op := range []string{"", "create", "update", "delete"} { // which call of Renew waits for the login
			for _, refuses := range []bool{false, true} {
				if op == "delete" && !cfg.Express.Rules {
					continue
				}
				t.Run(fmt.Sprintf("%s, refuses %v", op, refuses), func(t *testing.T) {
					t.Parallel()
					h := listed{newHooked(t)}
					cfg := cfg
					cfg.Store, cfg.MaxPerOwner = h, session.EndOldest(3)
					if refuses {
						cfg.MaxPerOwner = session.RefuseLogin(3)
					}
					m := newManager[account](t, cfg)
					b := browsers(4)
					mustLogin(t, m, b[0], b[1])
					type renewing struct{}
					waits, goes := make(chan bool), make(chan bool)
					var once sync.Once
					h.before = func(ctx context.Context, called, _ string) error {
						if ctx.Value(renewing{}) != nil && called == op {
							once.Do(func() { waits <- true; <-goes })
						}
						return nil
					}
					var renewed sync.WaitGroup
					renewed.Go(func() {
						r := b[1].request("GET", "/")
						b[1].send(m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
							if err := s.Renew(r.Context()); err != nil {
								t.Error(err)
							}
						}), r.WithContext(context.WithValue(r.Context(), renewing{}, true)))
					})
					if op == "" {
						renewed.Wait()
					} else {
						<-waits
					}
					mustLogin(t, m, b[2]) // the third session, and the limit is three
					close(goes)
					renewed.Wait()
					if got := lives(m, b[:3]...); !slices.Equal(got, []bool{true, true, true}) {
						t.Fatalf("live: %v", got)
					}
					if refuses {
						if _, err := tryLogin(m, b[3]); !errors.Is(err, session.ErrTooManySessions) {
							t.Errorf("the fourth login: %v", err)
						}
						return
					}
					mustLogin(t, m, b[3], b[0].fork())
					if got := lives(m, b...); !slices.Equal(got, []bool{false, false, true, true}) {
						t.Errorf("live after two more logins: %v", got)
					}
				})
			}
		}
	})
}

// If any call of a login fails, the login fails with status 503, the session is as it was, no
// cookie reads more sessions than allowed, and the next login succeeds.
func TestALoginWithALimitWhoseStoreFails(t *testing.T) {
	t.Parallel()
	limited(t, func(t *testing.T, cfg session.Config) {
		for name, limit := range map[string]session.OwnerLimit{"EndOldest": session.EndOldest(2), "RefuseLogin": session.RefuseLogin(2)} {
			for _, how := range []string{"before", "after", "from then on"} {
				for call := 1; ; call++ {
					reached := loginWithAFailure(t, cfg, limit, how, call)
					if t.Failed() {
						t.Fatalf("%s, failed %s call %d", name, how, call)
					}
					if !reached {
						if call < 4 {
							t.Errorf("a login made %d calls", call)
						}
						break
					}
				}
			}
		}
	})
}

// loginWithAFailure fails one call of a login, and reports whether there was one.
func loginWithAFailure(t *testing.T, cfg session.Config, limit session.OwnerLimit, how string, call int) (reached bool) {
	t.Helper()
	h := listed{newHooked(t)}
	cfg.Store, cfg.MaxPerOwner = h, limit
	m := newManager[account](t, cfg)
	b := browsers(4)
	mustLogin(t, m, b[0])
	if limit == session.EndOldest(2) {
		mustLogin(t, m, b[1])
	}
	do(m, b[2], func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count = 3 })
	})
	visitor := b[2].fork()
	n := 0
	fail := func(ctx context.Context, op, _ string) error {
		if ctx.Value(failingKey{}) == nil {
			return nil
		}
		if n++; n == call || n > call && how == "from then on" {
			reached = true
			return errDown
		}
		return nil
	}
	if how == "after" {
		h.after = fail
	} else {
		h.before = fail
	}
	var err error
	r := b[2].request("GET", "/")
	res := answer(m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_ = s.Data()
		ctx := context.WithValue(r.Context(), failingKey{}, true)
		if err = s.Login(ctx, ownerName); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), r)
	h.before, h.after = nil, nil
	if err != nil && !errors.Is(err, errDown) {
		t.Errorf("Login: %v", err)
	}
	if err == nil {
		b[2].receive(res)
	} else if peek(m, visitor).Count != 3 && how == "before" {
		t.Errorf("the visitor's session has changed")
	}
	count := func() (n int) {
		for _, live := range lives(m, b...) {
			if live {
				n++
			}
		}
		return n
	}
	if n := count(); n > 2 {
		t.Errorf("%d sessions are live", n)
	}
	if limit == session.EndOldest(2) {
		mustLogin(t, m, b[3])
		if !lives(m, b[3])[0] || count() > 2 {
			t.Errorf("after the next login %d sessions are live", count())
		}
		l := 0
		for range m.List(t.Context(), ownerName) {
			l++
		}
		if l > 2 {
			t.Errorf("after the next login %d sessions are listed", l)
		}
	} else if count() < 2 {
		cfg.StoreLimits.SaveTimeout = time.Second // a reservation that could not be deleted counts for half of it
		next := newManager[account](t, cfg)
		deadline := time.Now().Add(time.Minute)
		for _, err := tryLogin(next, b[3]); err != nil; _, err = tryLogin(next, b[3]) {
			if how == "from then on" && call > 4 && errors.Is(err, session.ErrTooManySessions) {
				break // a session has begun, and its client got no answer
			}
			if time.Now().After(deadline) {
				t.Fatalf("the next login, after call %d failed: %v", call, err)
			}
		}
	}
	return reached
}

type failingKey struct{}

// SetOwner would pass by the limit, so a save refuses it.
func TestSetOwnerWithALimitIsRefused(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{MaxPerOwner: session.EndOldest(1)})
	b := newBrowser()
	for _, stored := range []bool{false, true} {
		var err error
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.SetOwner("user:third")
			err = s.Save(r.Context())
			s.Discard()
		})
		if err == nil || !strings.Contains(err.Error(), "call Login") {
			t.Errorf("stored %v: %v", stored, err)
		}
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.SetOwner("user:another") // a login after it counts
			if err := s.Login(r.Context(), ownerName); err != nil {
				t.Error(err)
			}
		})
		if !lives(m, b)[0] {
			t.Error("not logged in")
		}
	}
}

// alone is a store with the five methods only.
type alone struct{ store.Store }

// unowned is a store that lists, but not by owner.
type unowned struct{ *memstore.Store }

func (unowned) ListsOwners() bool { return false }

// New refuses a limit that cannot be kept.
func TestNewRefusesALimitThatCannotBeKept(t *testing.T) {
	t.Parallel()
	mem := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = mem.Close() })
	for name, c := range map[string]struct {
		limit session.OwnerLimit
		store store.Store
		want  string
	}{
		"none":            {session.OwnerLimit{}, alone{mem}, ""},
		"default store":   {session.EndOldest(1), nil, ""},
		"zero":            {session.EndOldest(0), mem, "allows no session"},
		"negative":        {session.RefuseLogin(-1), mem, "allows no session"},
		"no Lister":       {session.EndOldest(1), alone{mem}, "cannot list the sessions of an owner"},
		"not by owner":    {session.RefuseLogin(1), unowned{mem}, "not configured to list by owner"},
		"behind another":  {session.RefuseLogin(1), &hooked{inner: unowned{mem}}, "not configured to list by owner"},
		"lists by itself": {session.RefuseLogin(1), &hooked{inner: mem}, ""},
	} {
		_, err := session.New[account](session.Config{Secrets: []string{secret}, Store: c.store, MaxPerOwner: c.limit})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Config.MaxPerOwner")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The round trips of a login, as docs/howto/devices.md says. Without a limit there is no
// listing.
func TestWhatALimitCosts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit session.OwnerLimit
		want  string
	}{
		"none":        {session.OwnerLimit{}, "create"},
		"EndOldest":   {session.EndOldest(3), "list create list"},
		"at it":       {session.EndOldest(1), "list create list update"},
		"RefuseLogin": {session.RefuseLogin(3), "list create list update"},
		"refused":     {session.RefuseLogin(1), "list"},
	} {
		h := listed{newHooked(t)}
		m := newManager[account](t, session.Config{Store: h, MaxPerOwner: c.limit})
		mustLogin(t, m, newBrowser())
		h.calls()
		_, _ = tryLogin(m, newBrowser())
		if got := strings.Join(h.calls(), " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
