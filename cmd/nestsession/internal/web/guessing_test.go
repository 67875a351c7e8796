package web_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRepeatedWrongPasswordsSlowDownByAddressAndName(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.program().register("kim", "correct horse battery")
	attacker := s.program().from("198.51.100.9")
	for range 5 {
		attacker.login("kim", "guess number").want(t, http.StatusUnauthorized)
	}
	before := s.hasher.verifications.Load()
	a := attacker.login("KIM", "guess number").want(t, http.StatusTooManyRequests, "Try again in 60 seconds.")
	if a.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After is %q, want 60", a.Header.Get("Retry-After"))
	}
	attacker.login("kim", "correct horse battery").want(t, http.StatusTooManyRequests) // right, but too early
	if n := s.hasher.verifications.Load(); n != before {
		t.Errorf("%d passwords were looked at that came too soon", n-before)
	}
	s.program().from("203.0.113.1").login("kim", "correct horse battery").want(t, http.StatusOK)
	s.clock.forward(time.Minute)
	attacker.login("kim", "correct horse battery").want(t, http.StatusOK)
}

// From one address a name is guessed at as fast as possible, concurrently and for hours. Its user
// can log in at another address all the time, and the number of guesses stays within the limit:
// five, and sixty an hour.
func TestGuessesFromOneAddressKeepNobodyOutElsewhere(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.program().from("203.0.113.1").register("kim", "correct horse battery")
	for hour := range 3 {
		var guesses atomic.Int64
		for minute := range 60 {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if s.program().from("198.51.100.9").login("kim", "guess number").StatusCode == http.StatusUnauthorized {
						guesses.Add(1)
					}
				})
			}
			if minute%2 == 0 {
				home := fmt.Sprintf("203.0.113.%d", minute+2) // from which nobody has logged in
				s.program().from(home).login("kim", "correct horse battery").want(t, http.StatusOK)
			}
			wg.Wait()
			s.clock.forward(time.Minute)
		}
		if n := guesses.Load(); n > 65 || n < 55 {
			t.Errorf("hour %d: %d guesses, want no more than 65, and not fewer than the rate that is stated", hour+1, n)
		}
	}
}

// Right logins that come concurrently wait for each other, and none is refused: those of sixty
// users behind one address, and ten of one user.
func TestRightLoginsInABurstAreQueued(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i := range 60 {
		s.program().from(fmt.Sprintf("203.0.113.%d", i)).register(fmt.Sprint("user", i), "correct horse battery").want(t, http.StatusCreated)
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 70 {
		b := s.program().from("198.51.100.7")
		name := "user0"
		if i < 60 {
			name = fmt.Sprint("user", i)
		}
		wg.Go(func() {
			<-start
			if a := b.login(name, "correct horse battery"); a.StatusCode != http.StatusOK {
				t.Errorf("login %d is answered %d: %s", i, a.StatusCode, a.body)
			}
		})
	}
	close(start)
	wg.Wait()
}

func TestRepeatedWrongPasswordsSlowDownByAddress(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.program().register("kim", "correct horse battery")
	attacker := s.program().from("198.51.100.1")
	for i := range 20 {
		attacker.login("name"+strconv.Itoa(i), "guess number").want(t, http.StatusUnauthorized)
	}
	attacker.login("kim", "correct horse battery").want(t, http.StatusTooManyRequests)
	s.program().from("203.0.113.1").login("kim", "correct horse battery").want(t, http.StatusOK)
	s.clock.forward(15 * time.Second)
	attacker.login("kim", "correct horse battery").want(t, http.StatusOK)
}

// Guesses by strangers must not keep the user out.
func TestStrangersDoNotKeepAUserOutOfAKnownDevice(t *testing.T) {
	t.Parallel()
	s := setup(t)
	home := s.person().from("203.0.113.9")
	home.register("kim", "correct horse battery").want(t, http.StatusSeeOther)
	home.send(http.MethodPost, "/logout", nil)
	attacker := s.program()
	for i := range 101 {
		attacker.from(fmt.Sprintf("198.51.100.%d", i)).login("kim", "guess number")
	}
	elsewhere := s.person().from("203.0.113.1")
	elsewhere.login("kim", "correct horse battery").want(t, http.StatusTooManyRequests)
	home.from("203.0.113.3").login("kim", "correct horse battery").want(t, http.StatusSeeOther)
	// Nor a program, which has no such cookie, at the address from which it has logged in.
	s.program().from("203.0.113.3").login("kim", "correct horse battery").want(t, http.StatusOK)
	// A user's own device does not help with another user's name.
	own := s.person().from("203.0.113.2")
	own.register("lee", "correct horse battery").want(t, http.StatusSeeOther)
	own.login("kim", "guess number").want(t, http.StatusTooManyRequests)
}

func TestTheDeviceCookieIsSentOnlyToTheLogin(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.person()
	b.headers.Set("X-Forwarded-Proto", "https")
	at := slices.IndexFunc(b.register("kim", "correct horse battery").Cookies(), func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "device-") })
	if at < 0 {
		t.Fatal("no cookie device")
	}
	c := b.register("lee", "correct horse battery").Cookies()[at]
	if c.Path != "/login" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("Path %q, HttpOnly %v, Secure %v, SameSite %v", c.Path, c.HttpOnly, c.Secure, c.SameSite)
	}
	for _, c := range b.login("lee", "correct horse battery").Cookies() {
		if strings.HasPrefix(c.Name, "device-") {
			t.Error("a device that is known got another cookie, and so more guesses")
		}
	}
	for _, c := range s.program().register("choi", "correct horse battery").Cookies() {
		if strings.HasPrefix(c.Name, "device-") {
			t.Error("a program got a device cookie")
		}
	}
}

func TestManyRightLoginsAreNotSlowedDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	for range 50 {
		b.login("kim", "correct horse battery").want(t, http.StatusOK)
	}
}

func TestGuessesAtThePresentPasswordSlowDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	guess := func() answer {
		return b.send(http.MethodPost, "/password", url.Values{"current_password": {"guess number"}, "new_password": {"battery staple pile"}})
	}
	for range 5 {
		guess().want(t, http.StatusForbidden)
	}
	guess().want(t, http.StatusTooManyRequests)
}

func TestPasswordChangesThatSucceedAreNotSlowedDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "battery staple pile")
	for range 5 {
		b.send(http.MethodPost, "/password", url.Values{"current_password": {"battery staple pile"}, "new_password": {"correct horse battery"}}).want(t, http.StatusOK)
		b.send(http.MethodPost, "/password", url.Values{"current_password": {"correct horse battery"}, "new_password": {"battery staple pile"}}).want(t, http.StatusOK)
	}
}

// Neither a message nor a header nor the amount of work shows whether an account exists.
func TestAKnownAndAnUnknownNameAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.program().register("known", "correct horse battery").want(t, http.StatusCreated)
	for name, kind := range map[string]func() *browser{"program": s.program, "person": s.person} {
		for try := range 7 { // the last two come too early
			type outcome struct {
				status int
				header http.Header
				body   string
				work   int64
			}
			attempt := func(username string) outcome {
				before := s.hasher.verifications.Load()
				a := kind().from("198.51.100."+strconv.Itoa(try)).login(username, "guess number")
				a.Header.Del("Date")
				return outcome{a.StatusCode, a.Header, strings.ReplaceAll(a.body, username, "…"), s.hasher.verifications.Load() - before}
			}
			known, unknown := attempt("known"), attempt("none!")
			if known.status != unknown.status || known.body != unknown.body || known.work != unknown.work ||
				!maps.EqualFunc(known.header, unknown.header, func(a, b []string) bool { return slices.Equal(a, b) }) {
				t.Errorf("%s, try %d: answers differ:\n%+v\n%+v", name, try, known, unknown)
			}
		}
		s.clock.forward(time.Hour)
	}
}

func TestATakenNameCostsTheSameWorkAndIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery").want(t, http.StatusCreated)
	before := s.hasher.hashes.Load()
	a := b.register("KIM", "battery staple pile").want(t, http.StatusConflict, "taken")
	if a.field(t, "username") == "" {
		t.Errorf("nothing beside the username: %s", a.body)
	}
	if n := s.hasher.hashes.Load() - before; n != 1 {
		t.Errorf("%d hashes for a taken name, want 1 as for a free one", n)
	}
	for range 18 {
		b.register("kim", "battery staple pile").want(t, http.StatusConflict)
	}
	b.register("kim", "battery staple pile").want(t, http.StatusTooManyRequests)
	b.register("free", "battery staple pile").want(t, http.StatusTooManyRequests)
	b.login("kim", "correct horse battery").want(t, http.StatusOK)
}

func TestWhenTooManyPasswordsAreCheckedAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program()
	b.register("kim", "correct horse battery")
	s.hasher.busy.Store(true)
	for range 10 { // does not count against the user
		a := b.login("kim", "correct horse battery").want(t, http.StatusServiceUnavailable, "Try again in a moment.")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	for range 30 {
		b.register("lee", "correct horse battery").want(t, http.StatusServiceUnavailable)
	}
	s.hasher.busy.Store(false)
	b.login("kim", "correct horse battery").want(t, http.StatusOK)
	b.register("lee", "correct horse battery").want(t, http.StatusCreated)
}
