package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// "Idle and absolute timeouts are enforced on the server."
func TestPromise10_TheServerEnforcesTheTimeouts(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name         string
		cfg          session.Config
		maxAge       time.Duration // the session's own, if any
		every, alive time.Duration // visited every so often (0: not), it lives for so long
		event        string
	}{
		{"idle, default", session.Config{}, 0, 0, day, "expired: idle timeout"},
		{"idle, set", session.Config{IdleTimeout: time.Hour}, 0, 0, time.Hour, "expired: idle timeout"},
		{"idle, by the cookie", session.Config{Cookie: session.Cookie{MaxAge: 7 * day}}, 0, 0, 7 * day, "expired: idle timeout"},
		{"idle beside the cookie's", session.Config{Cookie: session.Cookie{MaxAge: 7 * day}, IdleTimeout: time.Hour}, 0, 0, time.Hour, "expired: idle timeout"},
		{"idle, the session's own", session.Config{IdleTimeout: time.Hour}, 3 * day, 0, 3 * day, "expired: idle timeout"},
		{"absolute, default", session.Config{}, 0, time.Hour, 30 * day, "expired: absolute timeout"},
		{"absolute, set", session.Config{AbsoluteTimeout: 2 * day}, 0, time.Hour, 2 * day, "expired: absolute timeout"},
		{"absolute and the session's own", session.Config{AbsoluteTimeout: 2 * day}, 9 * day, time.Hour, 2 * day, "expired: absolute timeout"},
		{"absolute without idle", session.Config{AbsoluteTimeout: 2 * day, IdleTimeout: session.NoTimeout}, 0, 0, 2 * day, "expired: absolute timeout"},
		{"absolute, as long as the cookie", session.Config{Cookie: session.Cookie{MaxAge: 90 * day}}, 0, day, 90 * day, "expired: absolute timeout"},
		{"a fixed date", session.Config{Cookie: session.Cookie{Expires: newClock().now().Add(2 * day)}, AbsoluteTimeout: session.NoTimeout}, 0, 0, 2 * day, "expired: idle timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			var log journal
			mem := memstore.New(memstore.Config{Now: clk.now, SweepInterval: -1})
			c.cfg.Store, c.cfg.Now, c.cfg.OnEvent = mem, clk.now, log.add
			m := newManager[account](t, c.cfg)
			b := newBrowser()
			born := clk.now()
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = &user{Name: "ada"} })
				if c.maxAge > 0 {
					s.SetMaxAge(c.maxAge)
				}
			})
			for c.every > 0 && clk.now().Add(c.every).Sub(born) < c.alive {
				clk.advance(c.every)
				do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					s.Update(func(a *account) { a.Count++ }) // a busy session
				})
			}
			if c.every > 0 {
				if infos := list(t, m, ""); len(infos) != 1 || !infos[0].Expires.Equal(born.Add(c.alive)) || !infos[0].Created.Equal(born) {
					t.Errorf("listed as %+v, want it to end %v after its creation", infos, c.alive)
				}
			}
			clk.advance(born.Add(c.alive - time.Millisecond).Sub(clk.now()))
			if who := whoami(m, b); who != "ada" {
				t.Fatalf("a moment before its end logged in as %q", who)
			}
			log.take()
			clk.advance(time.Millisecond)
			if who := whoami(m, b); who != "" {
				t.Errorf("after its end logged in as %q", who)
			}
			if got := log.kinds(); got != c.event && got != "expired: idle timeout" {
				t.Errorf("events: %q, want %q", got, c.event)
			}
			if infos := list(t, m, ""); len(infos) != 0 {
				t.Errorf("still listed: %+v", infos)
			}
		})
	}
}

// An absolute timeout that a deploy brings holds for sessions that had no end at all,
// as far as it is known when they began.
func TestPromise10_AnAbsoluteTimeoutForSessionsWithoutAnEnd(t *testing.T) {
	t.Parallel()
	clk := newClock()
	mem := memstore.New(memstore.Config{Now: clk.now})
	endless := session.Config{Store: mem, Now: clk.now, IdleTimeout: session.NoTimeout, AbsoluteTimeout: session.NoTimeout}
	before := newManager[account](t, endless)
	endless.AbsoluteTimeout = 12 * time.Hour
	after := newManager[account](t, endless)
	b := loginAs(t, before, "user:1")
	clk.advance(12*time.Hour - time.Millisecond)
	if who := whoami(after, b); who != "user:1" {
		t.Errorf("before the timeout logged in as %q", who)
	}
	if infos := list(t, before, "user:1"); len(infos) != 1 || !infos[0].LastUsed.Equal(newClock().now()) || !infos[0].Expires.IsZero() {
		t.Errorf("listed as %+v", infos)
	}
	clk.advance(time.Millisecond)
	if who := whoami(after, b); who != "" {
		t.Errorf("after the timeout logged in as %q", who)
	}
}

// The timeouts hold on a real clock as well, and nothing keeps running for them.
func TestPromise10_TimeoutsOnTheSystemsClock(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		m := newManager[account](t, session.Config{IdleTimeout: time.Hour, AbsoluteTimeout: 3 * time.Hour})
		b := newBrowser()
		login(t, m, b, "ada")
		begun := time.Now()
		visit := func() string {
			var who string
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { who = s.Data().name() })
			return who
		}
		for range 5 {
			<-time.After(30 * time.Minute)
			if who := visit(); who != "ada" {
				t.Fatalf("after %v logged in as %q", time.Since(begun), who)
			}
		}
		<-time.After(30 * time.Minute)
		if who := visit(); who != "" {
			t.Errorf("after the absolute timeout logged in as %q", who)
		}
		login(t, m, b, "bob")
		<-time.After(time.Hour)
		if who := visit(); who != "" {
			t.Errorf("after the idle timeout logged in as %q", who)
		}
	})
}

// A timeout that was shortened by a deploy holds for the sessions that exist.
func TestPromise10_AShorterAbsoluteTimeoutHoldsForOldSessions(t *testing.T) {
	t.Parallel()
	clk := newClock()
	mem := memstore.New(memstore.Config{Now: clk.now})
	var log journal
	before := newManager[account](t, session.Config{Store: mem, Now: clk.now})
	after := newManager[account](t, session.Config{Store: mem, Now: clk.now, AbsoluteTimeout: 12 * time.Hour, IdleTimeout: time.Hour, OnEvent: log.add})
	b := newBrowser()
	login(t, before, b, "ada")
	clk.advance(11 * time.Hour)
	if who := whoami(after, b); who != "ada" {
		t.Errorf("before the new timeout logged in as %q", who)
	}
	clk.advance(time.Hour)
	if who := whoami(after, b); who != "" {
		t.Errorf("after the new timeout logged in as %q", who)
	}
	if got := log.kinds(); got != "expired: absolute timeout" {
		t.Errorf("events: %q", got)
	}
	if infos := list(t, after, ""); len(infos) != 0 {
		t.Errorf("still listed: %+v", infos)
	}
}

// What the session says of its times is what the server does.
func TestPromise10_TheSessionTellsItsTimes(t *testing.T) {
	t.Parallel()
	clk := newClock()
	m := newManager[account](t, session.Config{Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, IdleTimeout: time.Hour, AbsoluteTimeout: 90 * time.Minute})
	b := newBrowser()
	born := clk.now()
	login(t, m, b, "ada")
	clk.advance(20 * time.Minute)
	check := func(used, expires time.Duration) {
		t.Helper()
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			if !s.Created().Equal(born) {
				t.Errorf("created %v", s.Created())
			}
			if got := s.LastUsed().Sub(born); got != used {
				t.Errorf("last used %v after its creation, want %v", got, used)
			}
			s.Touch()
			if got := s.Expires().Sub(born); got != expires {
				t.Errorf("expires %v after its creation, want %v", got, expires)
			}
		})
	}
	check(0, 80*time.Minute)
	clk.advance(5 * time.Minute)
	check(20*time.Minute, 85*time.Minute)
	clk.advance(50 * time.Minute)
	check(25*time.Minute, 90*time.Minute)
}

// What was saved is what the session says of its end; and an owner's sessions keep when
// they were created, whether or not there is an absolute timeout.
func TestPromise10_TimesAfterASave(t *testing.T) {
	t.Parallel()
	clk := newClock()
	m := newManager[account](t, session.Config{Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, IdleTimeout: time.Hour, AbsoluteTimeout: session.NoTimeout})
	b := newBrowser()
	born := clk.now()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:1") })
	clk.advance(10 * time.Minute)
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if got := s.Expires().Sub(born); got != time.Hour {
			t.Errorf("before the save it ends %v after its creation", got)
		}
		s.Update(func(a *account) { a.Count++ })
		if err := s.Save(r.Context()); err != nil {
			t.Errorf("Save: %v", err)
		}
		if got := s.Expires().Sub(born); got != 70*time.Minute {
			t.Errorf("after the save it ends %v after its creation", got)
		}
		if !s.Created().Equal(born) {
			t.Errorf("created %v", s.Created())
		}
	})
	if infos := list(t, m, "user:1"); len(infos) != 1 || !infos[0].Created.Equal(born) || !infos[0].LastUsed.Equal(clk.now()) {
		t.Errorf("listed as %+v", infos)
	}
}
