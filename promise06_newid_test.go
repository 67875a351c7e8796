package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// "Regenerate deletes the old record at once, then gives a new id and empty data, as
// express-session does."
func TestPromise06_RegenerateDeletesTheOldAndBeginsAnew(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, OnEvent: log.add})
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Count = 7 })
		s.SetOwner("user:1")
		s.SetMaxAge(time.Hour)
	})
	old := b.fork()
	log.take()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		id, digest := ses.ID(), ses.Digest()
		ses.Update(func(a *account) { a.Count++ })
		if err := ses.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		if n := len(records(t, s)); n != 0 {
			t.Errorf("after Regenerate the store has %d records, want none", n)
		}
		if !ses.IsNew() || ses.Data().Count != 0 || ses.Owner() != "" || ses.Cookie().MaxAge != 0 {
			t.Errorf("after Regenerate: new %v, data %+v, owner %q, max age %v", ses.IsNew(), ses.Data(), ses.Owner(), ses.Cookie().MaxAge)
		}
		if ses.ID() == id || ses.ID() == "" || ses.Digest() == digest {
			t.Error("Regenerate left the id as it was")
		}
		if e := log.take(); len(e) != 1 || e[0].Kind != session.EventRegenerated || e[0].Digest != digest || e[0].Owner != "user:1" {
			t.Errorf("events: %+v", e)
		}
		ses.Update(func(a *account) { a.User = &user{Name: "ada"} })
	})
	if got := log.kinds(); got != "created" {
		t.Errorf("events at the end: %s", got)
	}
	if who := whoami(m, b); who != "ada" {
		t.Errorf("the new cookie is logged in as %q", who)
	}
	if b.cookie() == old.cookie() {
		t.Error("the cookie is the same")
	}
	if data := peek(m, old); data.User != nil || data.Count != 0 {
		t.Errorf("the old cookie still shows %+v", data)
	}
}

// Without anything put in, Regenerate is a logout: no record, and the cookie goes.
func TestPromise06_RegenerateWithoutWritingStoresNothing(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Regenerate(r.Context()); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
	})
	if n := len(records(t, s)); n != 0 || b.cookie() != "" {
		t.Errorf("%d records, cookie %q", n, b.cookie())
	}
}

// A delete that failed is tried again at the end, and if it fails again the client
// learns of it: never an old session that lives on beside the new one.
func TestPromise06_ARegenerateThatFailedIsTriedAgain(t *testing.T) {
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
					if err := ses.Regenerate(r.Context()); !errors.Is(err, errDown) {
						t.Errorf("Regenerate returned %v", err)
					}
					if recovers {
						s.before = nil
					}
					ses.Update(func(a *account) { a.User = &user{Name: "bob"} })
					_, _ = w.Write([]byte("the page"))
				})
				s.before = nil
				if !recovers {
					wantErrorAlone(t, res, http.StatusServiceUnavailable)
					return
				}
				if who := whoami(m, old); res.StatusCode != 200 || who != "" {
					t.Errorf("answered %d, and the old cookie is logged in as %q", res.StatusCode, who)
				}
				if who := whoami(m, b); who != "bob" {
					t.Errorf("the new cookie is logged in as %q", who)
				}
			})
		}
	}
}

// "Renew gives a new id and keeps the data, and the old id still answers for a short
// grace, so that requests in flight are not logged out."
func TestPromise06_RenewKeepsTheDataAndTheOldIDForAWhile(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]time.Duration{"default": 0, "a minute": time.Minute, "none": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			var log journal
			mem := memstore.New(memstore.Config{Now: c.now})
			m := newManager[account](t, session.Config{Store: mem, Now: c.now, RenewGrace: grace, OnEvent: log.add, StoreLimits: session.StoreLimits{TouchInterval: -1}})
			b := newBrowser()
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
				s.SetOwner("user:1")
				s.SetMaxAge(time.Hour)
			})
			old := b.fork()
			log.take()
			c.advance(time.Minute)
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				id, created := s.ID(), s.Created()
				s.Update(func(a *account) { a.Count = 1 })
				if err := s.Renew(r.Context()); err != nil {
					t.Errorf("Renew: %v", err)
				}
				if s.ID() == id || s.Data().Count != 1 || s.Owner() != "user:1" || !s.Created().Equal(created) || s.Cookie().MaxAge != time.Hour {
					t.Errorf("after Renew: same id %v, data %+v, owner %q, created %v", s.ID() == id, s.Data(), s.Owner(), s.Created())
				}
			})
			if got := log.kinds(); got != "renewed" {
				t.Errorf("events: %s", got)
			}
			if b.cookie() == old.cookie() {
				t.Fatal("the browser has the same cookie")
			}
			if infos := list(t, m, "user:1"); len(infos) != 1 {
				t.Errorf("the owner has %d sessions, want 1", len(infos))
			}

			do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {}) // the grace counts from here
			lives := grace
			if grace == 0 {
				lives = session.DefaultRenewGrace
			}
			if lives > 0 {
				c.advance(lives - time.Millisecond)
				thief := old.fork()
				res := do(m, thief, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Count++ }) // is not lost
					s.Touch()                                // does not prolong the grace
				})
				if res.StatusCode != 200 || len(res.Cookies()) != 0 {
					t.Errorf("a request under the old id was answered %d with %v, want no cookie", res.StatusCode, res.Cookies())
				}
				if got := peek(m, b); got.Count != 2 || got.name() != "ada" {
					t.Errorf("under the new id: %+v", got)
				}
				c.advance(time.Millisecond)
			}
			if got := peek(m, old); got.User != nil {
				t.Errorf("the old id answers after the grace: %+v", got)
			}
			if got := peek(m, b); got.name() != "ada" {
				t.Errorf("the new id is dead: %+v", got)
			}
			for range 30 { // its pointer stays for a day, for a client that was not seen with the new id
				c.advance(50 * time.Minute)
				do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
			}
			if n := len(records(t, mem)); n != 1 {
				t.Errorf("the store has %d records in the end, want 1", n)
			}
		})
	}
}

// Several renewals within one grace: every id that still has grace leads to the last.
func TestPromise06_RenewalsInARow(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := newManager[account](t, session.Config{Store: memstore.New(memstore.Config{Now: c.now}), Now: c.now})
	b := newBrowser()
	login(t, m, b, "ada")
	var olds []*browser
	for range 5 {
		olds = append(olds, b.fork())
		do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if err := s.Renew(r.Context()); err != nil {
				t.Errorf("Renew: %v", err)
			}
		})
		c.advance(time.Second)
	}
	for i, old := range olds {
		if who := whoami(m, old); who != "ada" {
			t.Errorf("the id %d renewals ago is logged in as %q", len(olds)-i, who)
		}
	}
	// A logout under the oldest of them ends the session under all.
	do(m, olds[0].fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Errorf("Destroy: %v", err)
		}
	})
	for _, b := range append(olds, b) {
		if who := whoami(m, b); who != "" {
			t.Errorf("after the logout a cookie is logged in as %q", who)
		}
	}
}

// A store that fails in the middle of Renew loses no session, also if the
// write that it reported as failed was made.
func TestPromise06_ARenewThatFailsKeepsTheSession(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "update"} {
		for _, made := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s made=%v", op, made), func(t *testing.T) {
				t.Parallel()
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: s})
				b := newBrowser()
				login(t, m, b, "ada")
				fail := failing(op)
				do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
					if made {
						s.after = fail
					} else {
						s.before = fail
					}
					if err := ses.Renew(r.Context()); !errors.Is(err, errDown) {
						t.Errorf("Renew returned %v", err)
					}
					s.before, s.after = nil, nil
				})
				if who := whoami(m, b); who != "ada" {
					t.Errorf("logged in as %q", who)
				}
			})
		}
	}
}

// A request that loaded before the renewal and ends the session long after it ends
// the session, not the pointer that the renewal left behind.
func TestPromise06_ALateLogoutFollowsTheRenewal(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"within the grace": 0, "after it": session.DefaultRenewGrace + time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			m := newManager[account](t, session.Config{Store: memstore.New(memstore.Config{Now: c.now}), Now: c.now})
			b := newBrowser()
			login(t, m, b, "ada")
			do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
					if err := s.Renew(r.Context()); err != nil {
						t.Errorf("Renew: %v", err)
					}
				})
				c.advance(after)
				if err := s.Destroy(r.Context()); err != nil {
					t.Errorf("Destroy: %v", err)
				}
			})
			if who := whoami(m, b); who != "" {
				t.Errorf("after the logout the new cookie is logged in as %q", who)
			}
		})
	}
}

// Where randomness fails there is an error, and neither a session nor a weak id
// (CVE-2025-66630).
func TestPromise06_AFailingGeneratorIsAnErrorAndNotAWeakID(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]func(*http.Request) (string, error){
		"error":            func(*http.Request) (string, error) { return "half-an-id", errors.New("no entropy") },
		"nothing":          func(*http.Request) (string, error) { return "", nil },
		"not UTF-8":        func(*http.Request) (string, error) { return "\xff\xfe", nil },
		"too long to send": func(*http.Request) (string, error) { return strings.Repeat("x", 5000), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, session.Config{GenID: generate})
			res := do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
			})
			wantErrorAlone(t, res, http.StatusInternalServerError)
			for info := range m.ListAll(t.Context()) {
				t.Errorf("a session was stored: %v", info.Digest)
			}
		})
	}
}

// A generator that repeats itself never hands out somebody else's session.
func TestPromise06_AnIDInUseIsNeverGivenOut(t *testing.T) {
	t.Parallel()
	ids := []string{"first-id-of-the-generator", "first-id-of-the-generator", "second-id-of-the-generator"}
	m := newManager[account](t, session.Config{GenID: func(*http.Request) (string, error) {
		id := ids[0]
		if len(ids) > 1 {
			ids = ids[1:]
		}
		return id, nil
	}})
	a, b, c := newBrowser(), newBrowser(), newBrowser()
	login(t, m, a, "ada")
	login(t, m, b, "bob")
	if x, y := whoami(m, a), whoami(m, b); x != "ada" || y != "bob" {
		t.Errorf("logged in as %q and %q", x, y)
	}
	res := do(m, c, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.User = &user{Name: "carl"} })
	})
	wantErrorAlone(t, res, http.StatusInternalServerError)
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Renew(context.WithoutCancel(r.Context())); !errors.Is(err, store.ErrExists) {
			t.Errorf("Renew returned %v, want ErrExists", err)
		}
	})
	if x, y := whoami(m, a), whoami(m, b); x != "ada" || y != "bob" {
		t.Errorf("afterwards logged in as %q and %q", x, y)
	}
}

// If the response to a renewal is lost, the record is loaded again: the client would otherwise be left
// with an old id that ends with the grace.
func TestPromise06_ARenewalWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"done": true, "not done": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newHooked(t)
				m := newManager[account](t, session.Config{Store: lossy{s, applied, new(int)}})
				b := newBrowser()
				login(t, m, b, "ada")
				old := b.fork()
				do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
					if err := ses.Renew(r.Context()); err != nil {
						t.Errorf("Renew: %v", err)
					}
				})
				if b.cookie() == old.cookie() {
					t.Error("the browser has the old cookie")
				}
				do(m, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) {}) // the grace counts from here
				time.Sleep(2 * session.DefaultRenewGrace)
				if who := whoami(m, b); who != "ada" {
					t.Errorf("after the grace: %q", who)
				}
				if who := whoami(m, old); who != "" {
					t.Errorf("under the old id: %q", who)
				}
			})
		})
	}
}

// lossy is a store whose first answer to an Update is lost, after it was done or before.
type lossy struct {
	*hooked
	applied bool
	updates *int
}

func (l lossy) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if *l.updates++; *l.updates > 1 {
		return l.hooked.Update(ctx, r)
	}
	if l.applied {
		if _, err := l.hooked.Update(ctx, r); err != nil {
			return 0, err
		}
	}
	return 0, errDown
}
