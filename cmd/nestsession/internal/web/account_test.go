package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// operate opens the accounts as an operator's command does.
func (s *site) operate() *users.Accounts {
	s.Helper()
	a, err := users.OpenAccounts(s.Context(), s.path)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = a.Close() })
	return a
}

// ASVS 7.4.2: the operator's command changes one row of the accounts, and does not touch the
// sessions. They end nevertheless, streams included.
func TestSessionsEndWithTheirAccount(t *testing.T) {
	t.Parallel()
	type operation func(*users.Accounts, context.Context, string) (users.Account, error)
	for name, end := range map[string]operation{"disabled": (*users.Accounts).Disable, "deleted": (*users.Accounts).Delete} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			laptop, phone, lee := s.program().with(firefox), s.program().with(iPhone), s.program()
			laptop.register("kim", "correct horse battery")
			phone.login("kim", "correct horse battery")
			lee.register("lee", "correct horse battery")
			quiet, list, others := laptop.open("/events"), phone.open("/sessions/events"), lee.open("/events")
			list.wantList("Safari on iPhone, Firefox on Linux")
			if _, err := end(s.operate(), t.Context(), "kim"); err != nil {
				t.Fatal(err)
			}
			quiet.wantEnd()
			for e, ok := list.next(); ok && e.name != "session-end"; e, ok = list.next() {
				if e.name != "sessions" {
					t.Errorf("event %+v", e)
				}
			}
			for _, path := range []string{"/me", "/sessions", "/events", "/sessions/events", "/password"} {
				s.as(laptop.sid()).send(http.MethodGet, path, nil).want(t, http.StatusUnauthorized)
			}
			phone.send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusUnauthorized)
			if !strings.Contains(s.log.String(), "session ended: the account is deleted or disabled") {
				t.Error("the log does not say why")
			}
			lee.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
			lee.send(http.MethodPost, "/logout", nil)
			others.wantEnd()
		})
	}
}

// as returns a client with only this cookie.
func (s *site) as(sid string) *browser {
	s.Helper()
	b := s.program()
	b.headers.Set("Cookie", "sid="+sid)
	return b
}

func TestADisabledAccountIsReportedOnlyWithItsPassword(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b, page := s.program(), s.person()
	b.register("kim", "correct horse battery")
	a := s.operate()
	if _, err := a.Disable(t.Context(), "kim"); err != nil {
		t.Fatal(err)
	}
	b.login("kim", "correct horse battery").want(t, http.StatusForbidden, "This account is disabled.")
	page.login("kim", "correct horse battery").want(t, http.StatusForbidden, "This account is disabled.")
	b.login("kim", "wrong password").want(t, http.StatusUnauthorized, "Wrong username or password")
	if _, err := a.Enable(t.Context(), "kim"); err != nil {
		t.Fatal(err)
	}
	b.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized) // a session that was ended stays ended
	b.login("kim", "correct horse battery").want(t, http.StatusOK)
	b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
}

// A session is invalid if another account of the same id and name began it, or if it was written
// into the store by somebody who does not know the generation.
func TestASessionIsOfOneGeneration(t *testing.T) {
	t.Parallel()
	s := setup(t)
	old, fresh := s.program(), s.program()
	old.register("kim", "correct horse battery")
	if _, err := s.operate().Delete(t.Context(), "kim"); err != nil {
		t.Fatal(err)
	}
	fresh.register("kim", "correct horse battery").want(t, http.StatusCreated)
	old.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	fresh.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	// A user whose session is no longer valid can log in.
	if _, err := s.operate().Disable(t.Context(), "kim"); err != nil {
		t.Fatal(err)
	}
	fresh.register("lee", "correct horse battery").want(t, http.StatusCreated)
	fresh.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, "lee")
}

// The change of the password itself ends the sessions: even if none of their records can be reached
// at that moment, no request with them is answered afterwards.
func TestAPasswordChangeEndsSessionsThatCannotBeReached(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]func(*site) *browser{"program": (*site).program, "person": (*site).person} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			here, there := kind(s), s.program()
			here.register("kim", "correct horse battery")
			there.login("kim", "correct horse battery").want(t, http.StatusOK)
			before := here.sid()
			breakDown := func() { s.sessions.down.Store(true) }
			s.hasher.verified.Store(&breakDown)
			here.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).
				want(t, http.StatusServiceUnavailable, "Your password is changed, and you are logged out everywhere.")
			s.sessions.down.Store(false)
			for _, sid := range []string{before, there.sid()} {
				if sid == "" || s.loggedIn(sid) {
					t.Error("a session of the old password is still logged in")
				}
			}
			s.program().login("kim", "correct horse battery").want(t, http.StatusUnauthorized)
			s.program().login("kim", "battery staple pile").want(t, http.StatusOK)
		})
	}
}

// A client disconnects during a change: either nothing has changed, or all is done to its end,
// streams included.
func TestClientThatDisconnectsDuringAPasswordChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hook    func(*site, *func())
		changed bool
	}{
		"when the present password was found right": {func(s *site, f *func()) { s.hasher.verified.Store(f) }, false},
		"when the new one was hashed":               {func(s *site, f *func()) { s.hasher.hashed.Store(f) }, true},
		"when the others are to end":                {func(s *site, f *func()) { s.sessions.onList.Store(f) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setupLists(t, time.Hour) // the streams do not poll
			here, there := s.program(), s.program()
			here.register("kim", "correct horse battery")
			there.login("kim", "correct horse battery").want(t, http.StatusOK)
			stream := there.open("/events")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			hangUp := func() { cancel() }
			c.hook(s, &hangUp)
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/password",
				strings.NewReader(`{"current_password":"correct horse battery","new_password":"battery staple pile"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Cookie", "sid="+here.sid())
			s.app.ServeHTTP(httptest.NewRecorder(), r)
			if ctx.Err() == nil {
				t.Fatal("nobody hung up")
			}
			password := "correct horse battery"
			if c.changed {
				password = "battery staple pile"
				stream.wantEnd()
			}
			for _, b := range []*browser{here, there} {
				if s.loggedIn(b.sid()) == c.changed {
					t.Errorf("a session of the old password is logged in: %v, though the password is changed: %v", !c.changed, c.changed)
				}
			}
			s.program().login("kim", password).want(t, http.StatusOK)
		})
	}
}

// ASVS 7.5.2: ending sessions requires the password again, unless it was given a few minutes ago.
func TestEndingSessionsAsksForThePasswordOnceMore(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"logout-others", "one"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			laptop, phone := s.program(), s.program()
			laptop.register("kim", "correct horse battery")
			phone.login("kim", "correct horse battery")
			url := "/sessions/logout-others"
			if path == "one" {
				url = "/sessions/" + laptop.list().Sessions[1].Session + "/logout"
			}
			s.later.Add(int64(9 * time.Minute))
			before := laptop.sid()
			s.later.Add(int64(2 * time.Minute))
			a := laptop.send(http.MethodPost, url, nil).want(t, http.StatusForbidden, "Enter your password again.")
			if a.field(t, "current_password") == "" {
				t.Errorf("nothing beside the field: %s", a.body)
			}
			laptop.send(http.MethodPost, url, `{"current_password":"wrong password"}`).want(t, http.StatusForbidden, "not your current password")
			phone.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
			if laptop.sid() != before {
				t.Error("the id changed although nothing was shown")
			}
			laptop.send(http.MethodPost, url, `{"current_password":"correct horse battery"}`)
			phone.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
			laptop.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
			if laptop.sid() == before || s.loggedIn(before) {
				t.Error("showing the password gave no new id (ASVS 7.2.4)")
			}
			// The password was just given again.
			phone.login("kim", "correct horse battery")
			laptop.send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusOK, `{"ended_sessions":1}`)
		})
	}
}

func TestTheFreshPasswordOnThePages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone := s.person(), s.person()
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	s.later.Add(int64(9 * time.Minute))
	laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK)
	laptop.send(http.MethodPost, "/sessions/logout-others", url.Values{}).want(t, http.StatusSeeOther) // given recently enough
	phone.login("kim", "correct horse battery")
	s.later.Add(int64(2 * time.Minute))
	laptop.send(http.MethodPost, "/sessions/logout-others", url.Values{}).want(t, http.StatusForbidden,
		"Confirm that it is you", `action="/sessions/logout-others"`, `name="current_password"`, `autocomplete="current-password"`)
	laptop.send(http.MethodPost, "/sessions/logout-others", url.Values{"current_password": {"wrong password"}}).
		want(t, http.StatusForbidden, "not your current password", `action="/sessions/logout-others"`)
	phone.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	laptop.send(http.MethodPost, "/sessions/logout-others", url.Values{"current_password": {"correct horse battery"}}).want(t, http.StatusSeeOther)
	laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, "in the 1 other place")
	phone.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
}

// A thief of a session cannot guess faster here, and logging out the own session requires no
// password.
func TestGuessesAtTheFreshPasswordSlowDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	own := "/sessions/" + b.list().Sessions[0].Session + "/logout"
	s.later.Add(int64(time.Hour))
	for range 5 {
		b.send(http.MethodPost, "/sessions/logout-others", `{"current_password":"guess number"}`).want(t, http.StatusForbidden)
	}
	b.send(http.MethodPost, "/sessions/logout-others", `{"current_password":"correct horse battery"}`).want(t, http.StatusTooManyRequests)
	b.send(http.MethodPost, own, nil).want(t, http.StatusNoContent)
}
