package session_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// Managers that share a secret and a store do not take each other's cookies, whatever
// name a client gives them: a customer does not become an employee.
func TestACookieUnderAnotherNameIsNoSession(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	customers := newManager[account](t, session.Config{Store: s, Name: "__Host-customer"})
	staff := newManager[account](t, session.Config{Store: s, Name: "__Host-staff"})
	b := newBrowser()
	login(t, customers, b, "ada")
	renamed := newBrowser()
	renamed.cookies["__Host-staff"] = b.cookies["__Host-customer"]
	if who := whoami(staff, renamed); who != "" {
		t.Errorf("the customer is the employee %q", who)
	}
	do(staff, renamed, storing)
	if who := whoami(customers, b); who != "ada" {
		t.Errorf("the customer is %q", who)
	}
}

// A cookie that gets another prefix, or another name with the Scope that it had, keeps
// its sessions.
func TestScopeKeepsSessions(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	b := newBrowser()
	login(t, newManager[account](t, session.Config{Store: s, Name: "sid"}), b, "ada")
	for name, cfg := range map[string]session.Config{
		"__Host-sid": {Store: s, Name: "__Host-sid"},
		"app":        {Store: s, Name: "app", Scope: "sid"},
	} {
		moved := newBrowser()
		moved.cookies[name] = b.cookie()
		m := newManager[account](t, cfg)
		if who := whoami(m, moved); who != "ada" || m.CookieName() != name {
			t.Errorf("as %s: %q", name, who)
		}
	}
}

// A lifetime that has already ended is an error that says so, and stores nothing.
// A longer one than the absolute timeout is cut to that, in the browser as well, and a
// line in the log says it once.
func TestLifetimesThatCannotBe(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	var log bytes.Buffer
	clk := newClock()
	m := newManager[account](t, session.Config{
		Store: s, Now: clk.now, AbsoluteTimeout: 30 * 24 * time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	b := newBrowser()
	for range 3 {
		res := do(m, b, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.SetMaxAge(-time.Hour)
			storing(w, r, s)
		})
		wantErrorAlone(t, res, http.StatusInternalServerError)
	}
	if n := len(records(t, s)); n != 0 || !strings.Contains(log.String(), "has already ended") {
		t.Errorf("%d records, log: %s", n, log.String())
	}
	log.Reset()
	for range 3 {
		res := do(m, newBrowser(), func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.SetMaxAge(90 * 24 * time.Hour)
			storing(w, r, s)
			if left := s.Expires().Sub(clk.now()); left != 30*24*time.Hour {
				t.Errorf("the session ends in %v", left)
			}
		})
		if c := res.Cookies(); len(c) != 1 || c[0].MaxAge != 30*24*3600 || !c[0].Expires.Equal(clk.now().Add(30*24*time.Hour)) {
			t.Errorf("the cookie: %v", res.Header["Set-Cookie"])
		}
	}
	if n := strings.Count(log.String(), "AbsoluteTimeout"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}
