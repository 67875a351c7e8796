package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// "A touch is written only when it moves the expiry by a tenth of the idle timeout
// (settable), so reading does not become writing."
func TestPromise09_ReadingDoesNotBecomeWriting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		cfg      session.Config
		every    time.Duration // between visits
		touches  int           // in a hundred visits
		lifetime time.Duration // from a touch on
	}{
		{"a tenth of the default", session.Config{}, time.Minute, 0, session.DefaultIdleTimeout},
		{"a tenth of an hour", session.Config{IdleTimeout: time.Hour}, time.Minute, 16, time.Hour},
		{"a tenth of the max age", session.Config{Cookie: session.Cookie{MaxAge: time.Hour}}, time.Minute, 16, time.Hour},
		{"set", session.Config{IdleTimeout: time.Hour, StoreLimits: session.StoreLimits{TouchInterval: 20 * time.Minute}}, time.Minute, 5, time.Hour},
		{"each visit", session.Config{IdleTimeout: time.Hour, StoreLimits: session.StoreLimits{TouchInterval: -1}}, time.Minute, 100, time.Hour},
		{"visits that are a tenth apart", session.Config{IdleTimeout: time.Hour}, 6 * time.Minute, 100, time.Hour},
		{"no idle timeout", session.Config{IdleTimeout: session.NoTimeout, AbsoluteTimeout: session.NoTimeout}, time.Minute, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			s := &hooked{inner: memstore.New(memstore.Config{Now: clk.now})}
			c.cfg.Store, c.cfg.Now = s, clk.now
			m := newManager[account](t, c.cfg)
			b := newBrowser()
			login(t, m, b, "ada")
			s.calls()
			for range 100 {
				clk.advance(c.every)
				do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
					if s.Data().name() != "ada" {
						t.Fatal("the session is gone")
					}
				})
			}
			counts := map[string]int{}
			for _, op := range s.calls() {
				counts[op]++
			}
			if n, swaps := counts["update"]; swaps { // which show that the cookie may be sent
				delete(counts, "update")
				counts["touch"] = n
			}
			if want := map[string]int{"load": 100, "touch": c.touches}; fmt.Sprint(counts) != strings.Replace(fmt.Sprint(want), " touch:0", "", 1) {
				t.Errorf("calls of the store: %v, want %v", counts, want)
			}
			if c.lifetime == 0 {
				return
			}
			do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Touch() })
			clk.advance(c.lifetime - time.Millisecond)
			if who := whoami(m, b); who != "ada" {
				t.Errorf("just before the timeout logged in as %q", who)
			}
			clk.advance(time.Millisecond)
			if who := whoami(m, b); who != "" {
				t.Errorf("at the timeout still logged in as %q", who)
			}
		})
	}
}

// A session in steady use never expires, whatever the interval between its touches.
func TestPromise09_ASessionInUseStays(t *testing.T) {
	t.Parallel()
	clk := newClock()
	m := newManager[account](t, session.Config{
		Store: memstore.New(memstore.Config{Now: clk.now}), Now: clk.now, IdleTimeout: time.Hour, AbsoluteTimeout: session.NoTimeout,
	})
	b := newBrowser()
	login(t, m, b, "ada")
	for i := range 1000 {
		clk.advance(time.Duration(i%54) * time.Minute) // at most nine tenths
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			if s.Data().name() != "ada" {
				t.Fatalf("the session is gone at visit %d", i)
			}
			if last := clk.now().Sub(s.LastUsed()); last > 60*time.Minute {
				t.Errorf("last used %v ago", last)
			}
		})
	}
}

// A touch that fails is no reason to refuse the page.
func TestPromise09_ATouchThatFailsLetsThePageThrough(t *testing.T) {
	t.Parallel()
	var log journal
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, StoreLimits: session.StoreLimits{TouchInterval: -1}, OnEvent: log.add})
	b := newBrowser()
	login(t, m, b, "ada")
	log.take()
	s.before = failing("touch")
	res := do(m, b, func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		fmt.Fprint(w, s.Data().name())
	})
	if got := body(t, res); res.StatusCode != 200 || got != "ada" {
		t.Errorf("answered %d %q", res.StatusCode, got)
	}
	if got := log.kinds(); got != "touch failed" {
		t.Errorf("events: %q", got)
	}
}

// A timeout that was switched off, or on, by a deploy reaches a session at its next
// visit.
func TestPromise09_ATimeoutThatIsSwitched(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := memstore.New(memstore.Config{Now: clk.now, SweepInterval: -1})
	timed := newManager[account](t, session.Config{Store: s, Now: clk.now, IdleTimeout: time.Hour, AbsoluteTimeout: session.NoTimeout})
	endless := newManager[account](t, session.Config{Store: s, Now: clk.now, IdleTimeout: session.NoTimeout, AbsoluteTimeout: session.NoTimeout})
	b := newBrowser()
	login(t, timed, b, "ada")
	visit := func(m *session.Manager[account]) (who string) {
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { who = s.Data().name() })
		return who
	}
	visit(endless)
	clk.advance(1000 * time.Hour)
	if who := visit(endless); who != "ada" {
		t.Errorf("without a timeout logged in as %q", who)
	}
	visit(timed)
	clk.advance(time.Hour)
	if who := visit(timed); who != "" {
		t.Errorf("with a timeout logged in as %q", who)
	}
}

// A visit that changes something, or is touched before its headers are sent, is not
// touched again at its end, also where every visit is.
func TestPromise09_OneWriteAVisit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  session.Config
		does handler
		want string
	}{
		"a read": {session.Config{StoreLimits: session.StoreLimits{TouchInterval: -1}}, func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) { w.(http.Flusher).Flush() }, "load touch"},
		"a change": {session.Config{StoreLimits: session.StoreLimits{TouchInterval: -1}}, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			storing(w, r, s)
			w.(http.Flusher).Flush()
		}, "load update"},
		"a read and a change": {session.Config{StoreLimits: session.StoreLimits{TouchInterval: -1}}, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			w.(http.Flusher).Flush()
			storing(w, r, s)
		}, "load touch update"},
		"two changes": {session.Config{StoreLimits: session.StoreLimits{TouchInterval: -1}}, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			storing(w, r, s)
			w.(http.Flusher).Flush()
			storing(w, r, s)
		}, "load update update"},
		"Resave and Save":    {session.Config{Express: session.ExpressOptions{Resave: true}}, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Save(r.Context()) }, "load update"},
		"Resave and a flush": {session.Config{Express: session.ExpressOptions{Resave: true}}, func(w http.ResponseWriter, _ *http.Request, _ *session.Session[account]) { w.(http.Flusher).Flush() }, "load update"},
		"a renewal":          {session.Config{StoreLimits: session.StoreLimits{TouchInterval: -1}}, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) }, "load create update"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHooked(t)
			c.cfg.Store = s
			m := newManager[account](t, c.cfg)
			b := newBrowser()
			login(t, m, b, "ada")
			s.calls()
			do(m, b, c.does)
			if got := strings.Join(s.calls(), " "); got != c.want {
				t.Errorf("calls of the store: %s, want %s", got, c.want)
			}
		})
	}
}
