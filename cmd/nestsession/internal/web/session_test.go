package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var errDown = errors.New("the store is down")

func TestJSONAndForms(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(name, password string) any{
		"form": func(name, password string) any { return credentials(name, password) },
		"JSON": func(name, password string) any { return `{"username":"` + name + `","password":"` + password + `"}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			b := s.program()
			const user = `{"id":1,"username":"kim"}`
			made := b.send(http.MethodPost, "/register", body("Kim", "correct horse battery")).want(t, http.StatusCreated, user)
			if made.Header.Get("Location") != "/me" {
				t.Errorf("Location is %q, want /me", made.Header.Get("Location"))
			}
			b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, user)
			b.send(http.MethodPost, "/logout", nil).want(t, http.StatusNoContent)
			b.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized, "You are not logged in.")
			b.send(http.MethodPost, "/login", body("kim", "wrong password")).want(t, http.StatusUnauthorized, "Wrong username or password")
			b.send(http.MethodPost, "/login", body("kim", "correct horse battery")).want(t, http.StatusOK, user)
			b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, user)
			b.send(http.MethodGet, "/", nil).want(t, http.StatusOK, user)
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	follow := func(a answer, path string) answer {
		t.Helper()
		if got := a.want(t, http.StatusSeeOther).Header.Get("Location"); got != path {
			t.Fatalf("sent to %q, want %q", got, path)
		}
		return b.send(http.MethodGet, path, nil)
	}
	b.send(http.MethodGet, "/", nil).want(t, http.StatusOK, `href="/register"`, `href="/login"`)
	b.send(http.MethodGet, "/register", nil).want(t, http.StatusOK, `autocomplete="username"`, `autocomplete="new-password"`)
	follow(b.register("kim", "correct horse battery"), "/me").want(t, http.StatusOK, "You are logged in as <strong>kim</strong>")
	follow(b.send(http.MethodGet, "/", nil), "/me")
	follow(b.send(http.MethodGet, "/register", nil), "/me")
	b.send(http.MethodGet, "/password", nil).want(t, http.StatusOK, `autocomplete="current-password"`, `autocomplete="new-password"`)
	follow(b.send(http.MethodPost, "/logout", nil), "/login?logged-out").want(t, http.StatusOK, "You are logged out.", `autocomplete="current-password"`)
	for _, path := range []string{"/me", "/password"} {
		b.send(http.MethodGet, path, nil).want(t, http.StatusUnauthorized, "You are not logged in.", `action="/login"`)
	}
	follow(b.login("kim", "correct horse battery"), "/me").want(t, http.StatusOK)
}

// Fixation (CVE-2022-25896; ASVS 7.2.4): an id from before a login or a logout is invalid after it.
func TestTheIDChangesAtRegistrationLoginAndLogout(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	seen := map[string]string{}
	step := func(name string, a answer) {
		t.Helper()
		a.want(t, a.StatusCode)
		for sid, when := range seen {
			if s.loggedIn(sid) {
				t.Errorf("after %s the cookie of %s is still worth something", name, when)
			}
		}
		if sid := b.sid(); sid != "" {
			if seen[sid] != "" {
				t.Errorf("%s kept the cookie of %s", name, seen[sid])
			}
			seen[sid] = name
		}
	}
	step("registering", b.register("kim", "correct horse battery"))
	step("logging in over it", b.login("kim", "correct horse battery"))
	step("registering another", b.register("lee", "correct horse battery"))
	step("logging out", b.send(http.MethodPost, "/logout", nil))
	step("logging in", b.login("kim", "correct horse battery"))
	if len(seen) != 4 {
		t.Errorf("%d different cookies, want 4", len(seen))
	}
	if !s.loggedIn(b.sid()) {
		t.Error("the cookie of the last login is not accepted")
	}
}

func TestAVisitorWhoOnlyReadsGetsNoCookieAndNoStoreCall(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, b := range []*browser{s.person(), s.program()} {
		for _, path := range []string{"/", "/login", "/register", "/me", "/nowhere"} {
			if c := b.send(http.MethodGet, path, nil).Header["Set-Cookie"]; c != nil {
				t.Errorf("GET %s sets a cookie", path)
			}
		}
		b.login("nobody", "wrong password").want(t, http.StatusUnauthorized)
	}
	if n := s.sessions.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestLogoutClearsTheBrowser(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, b := range map[string]*browser{"program": s.program(), "person": s.person()} {
		b.register(name, "correct horse battery")
		a := b.send(http.MethodPost, "/logout", nil)
		if got := a.Header.Get("Clear-Site-Data"); got != `"cache", "storage"` {
			t.Errorf("%s: Clear-Site-Data is %q", name, got)
		}
		if b.sid() != "" {
			t.Errorf("%s: the cookie is still there", name)
		}
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	s := setup(t)
	get := func(b *browser, name string) *http.Cookie {
		t.Helper()
		for _, c := range b.register(name, "correct horse battery").Cookies() {
			if c.Name == "sid" {
				return c
			}
		}
		t.Fatalf("%s: no cookie", name)
		return nil
	}
	plain := get(s.program(), "plain")
	if !plain.HttpOnly || plain.SameSite != http.SameSiteLaxMode || plain.Path != "/" || plain.Secure || plain.Domain != "" {
		t.Errorf("over HTTP: HttpOnly %v, SameSite %v, Path %q, Secure %v, Domain %q", plain.HttpOnly, plain.SameSite, plain.Path, plain.Secure, plain.Domain)
	}
	behindTLS := s.program()
	behindTLS.headers.Set("X-Forwarded-Proto", "https")
	if !get(behindTLS, "secure").Secure {
		t.Error("over HTTPS, as the trusted proxy says: not Secure")
	}
}

func TestAPasswordChangeEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	s := setup(t)
	here, there, lee := s.program(), s.program(), s.program()
	here.register("kim", "correct horse battery").want(t, http.StatusCreated)
	there.login("kim", "correct horse battery").want(t, http.StatusOK)
	lee.register("lee", "correct horse battery").want(t, http.StatusCreated)
	before := here.sid()
	here.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).
		want(t, http.StatusOK, `{"ended_sessions":1}`)
	here.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, "kim")
	if here.sid() == before {
		t.Error("the session that changed the password kept its id")
	}
	there.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	lee.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, "lee")
	there.login("kim", "correct horse battery").want(t, http.StatusUnauthorized)
	there.login("kim", "battery staple pile").want(t, http.StatusOK)
}

func TestAPasswordChangeOnThePage(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.register("kim", "correct horse battery").want(t, http.StatusSeeOther)
	for range 2 {
		s.program().login("kim", "correct horse battery").want(t, http.StatusOK)
	}
	b.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).want(t, http.StatusSeeOther)
	b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, "Your password is changed.", "2 other places")
	if again := b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK); strings.Contains(again.body, "Your password is changed.") {
		t.Error("the notice is shown twice")
	}
}

func TestAPasswordThatCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).want(t, http.StatusUnauthorized)
	b.register("kim", "correct horse battery").want(t, http.StatusCreated)
	there := s.program()
	there.login("kim", "correct horse battery").want(t, http.StatusOK)
	for name, c := range map[string]struct {
		present, chosen, field string
		status                 int
	}{
		"wrong":       {"wrong password", "battery staple pile", "current_password", http.StatusForbidden},
		"none":        {"", "battery staple pile", "current_password", http.StatusUnprocessableEntity},
		"a short one": {"correct horse battery", "short", "new_password", http.StatusUnprocessableEntity},
		"the name":    {"correct horse battery", "kim", "new_password", http.StatusUnprocessableEntity},
	} {
		a := b.send(http.MethodPost, "/password", url.Values{"current_password": {c.present}, "new_password": {c.chosen}})
		if a.StatusCode != c.status || a.field(t, c.field) == "" {
			t.Errorf("%s: status %d, want %d and a text beside %s: %s", name, a.StatusCode, c.status, c.field, a.body)
		}
	}
	there.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	there.login("kim", "correct horse battery").want(t, http.StatusOK)
}

// Sessions end when the password changes (GO-2026-5414), including that of a login which found the
// old password right just before the change.
func TestALoginWithTheOldPasswordDoesNotOutliveTheChange(t *testing.T) {
	t.Parallel()
	s := setup(t)
	here, there := s.program(), s.program()
	here.register("kim", "correct horse battery").want(t, http.StatusCreated)
	change := func() {
		here.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).want(t, http.StatusOK)
	}
	s.hasher.verified.Store(&change) // in the middle of the login that follows
	there.login("kim", "correct horse battery").want(t, http.StatusUnauthorized, "Wrong username or password")
	there.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	here.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
}

func TestWhenTheSessionsAreDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b, page := s.program(), s.person()
	b.register("kim", "correct horse battery").want(t, http.StatusCreated)
	page.login("kim", "correct horse battery").want(t, http.StatusSeeOther)
	s.sessions.down.Store(true)
	for _, c := range []*browser{b, page} {
		a := c.send(http.MethodGet, "/me", nil).want(t, http.StatusServiceUnavailable, "Your session cannot be reached")
		if a.Header.Get("Retry-After") == "" || strings.Contains(a.body, errDown.Error()) {
			t.Errorf("Retry-After is %q, the body %s", a.Header.Get("Retry-After"), a.body)
		}
		c.login("kim", "correct horse battery").want(t, http.StatusServiceUnavailable)
		c.send(http.MethodPost, "/logout", nil).want(t, http.StatusServiceUnavailable)
	}
	for range 10 { // does not count against the user who logs in
		s.program().login("kim", "correct horse battery").want(t, http.StatusServiceUnavailable, "Your session cannot be reached")
	}
	b.send(http.MethodGet, "/healthz", nil).want(t, http.StatusServiceUnavailable, `"users":"ok"`, `"sessions":"unavailable"`)
	s.sessions.down.Store(false)
	b.send(http.MethodGet, "/healthz", nil).want(t, http.StatusOK, `"status":"ok"`)
	b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK, "kim")
}

func TestWhenTheUsersAreDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery").want(t, http.StatusCreated)
	if err := s.accounts.Close(); err != nil {
		t.Fatal(err)
	}
	b.send(http.MethodGet, "/healthz", nil).want(t, http.StatusServiceUnavailable, `"users":"unavailable"`, `"sessions":"ok"`)
	// It is not known whether the account still exists, so nobody is let in as its user.
	for _, a := range []answer{b.send(http.MethodGet, "/me", nil), b.login("kim", "correct horse battery"), b.send(http.MethodGet, "/sessions/events", nil)} {
		a.want(t, http.StatusServiceUnavailable, "Your account cannot be reached right now")
		if strings.Contains(a.body, "sql") || a.Header.Get("Retry-After") == "" {
			t.Errorf("the answer tells the reason, or not when to come again: %s", a.body)
		}
	}
	s.program().login("kim", "correct horse battery").want(t, http.StatusInternalServerError, "Something went wrong on the server")
	b.send(http.MethodPost, "/logout", nil).want(t, http.StatusNoContent) // needs no account
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.register("kim", "correct horse battery")
	sids := []string{b.sid()}
	b.login("kim", "wrong password")
	b.login("correct horse battery", "") // the password in the wrong field
	b.login("correct horse battery", "x")
	b.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}})
	sids = append(sids, b.sid())
	b.send(http.MethodPost, "/logout", nil)
	b.headers.Set("Cookie", "sid="+sids[0])
	b.send(http.MethodGet, "/me", nil)
	log := s.log.String()
	for _, sid := range sids {
		value, err := url.QueryUnescape(sid)
		if err != nil || len(value) < 20 {
			t.Fatalf("not a session's cookie: %v", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(value, "s:"), ".")
		if strings.Contains(log, id) {
			t.Errorf("the log holds an id:\n%s", log)
		}
	}
	for _, secret := range []string{"correct horse battery", "wrong password", "battery staple pile", "a secret for the tests"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	for _, want := range []string{"logged in", "login failed", "password changed", "from=192.0.2.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not hold %q:\n%s", want, log)
		}
	}
}
