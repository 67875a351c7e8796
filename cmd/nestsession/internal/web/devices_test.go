package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

type device struct {
	Session, Device string
	Network         string
	First           string `json:"first_network"`
	Used            string `json:"last_used"`
	Current, Bound  bool
}

type list struct {
	Text         string
	Sessions     []device
	More, Others bool
}

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// with sets the client's user agent.
func (b *browser) with(agent string) *browser {
	b.headers.Set("User-Agent", agent)
	return b
}

func (b *browser) list() (l list) {
	b.Helper()
	a := b.send(http.MethodGet, "/sessions", nil).want(b.T, http.StatusOK)
	if err := json.Unmarshal([]byte(a.body), &l); err != nil {
		b.Fatalf("%v: %s", err, a.body)
	}
	return l
}

func (l list) names() string {
	var names []string
	for _, d := range l.Sessions {
		names = append(names, d.Device)
	}
	return strings.Join(names, ", ")
}

func TestDevicesAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone, tablet, lee := s.program().with(firefox), s.program().with(iPhone), s.program().with("curl/8.5.0"), s.program()
	laptop.register("kim", "correct horse battery")
	if l := laptop.list(); l.Text != "You are logged in only on this device." || l.Others || !l.Sessions[0].Current {
		t.Errorf("with one device: %+v", l)
	}
	phone.login("kim", "correct horse battery")
	tablet.login("kim", "correct horse battery")
	lee.register("lee", "correct horse battery")
	l := phone.list()
	if l.names() != "Safari on iPhone, curl, Firefox on Linux" || !l.Others || l.Text != "You are logged in on these 3 devices." {
		t.Errorf("with three: %+v", l)
	}
	for i, d := range l.Sessions {
		if d.Current != (i == 0) || len(d.Session) < 16 || strings.Contains(phone.sid()+laptop.sid()+tablet.sid(), d.Session) {
			t.Errorf("device %d: %+v", i, d)
		}
	}
	end := "/sessions/" + l.Sessions[2].Session + "/logout"
	// The digest of another user's session is not found.
	lee.send(http.MethodPost, end, nil).want(t, http.StatusNotFound)
	laptop.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	phone.send(http.MethodPost, end, nil).want(t, http.StatusNoContent)
	laptop.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	phone.send(http.MethodPost, end, nil).want(t, http.StatusNotFound, "not logged in there any more")
	phone.send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusOK, `{"ended_sessions":1}`)
	tablet.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
	lee.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	// Ending the own session is a logout like any other.
	a := phone.send(http.MethodPost, "/sessions/"+phone.list().Sessions[0].Session+"/logout", nil).want(t, http.StatusNoContent)
	if a.Header.Get("Clear-Site-Data") == "" {
		t.Error("logging out this device leaves the browser's data")
	}
	phone.send(http.MethodGet, "/me", nil).want(t, http.StatusUnauthorized)
}

func TestDevicesAsPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone := s.person().with(firefox), s.person().with("<script>alert(1)</script>/1.0")
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	page := laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, "these 2 devices", "Firefox on Linux",
		`action="/sessions/logout-others"`, `data-events="/sessions/events"`)
	if strings.Contains(page.body, "<script>alert") {
		t.Errorf("what a client calls itself is HTML: %s", page.body)
	}
	for _, path := range []string{"/me", "/password"} {
		laptop.send(http.MethodGet, path, nil).want(t, http.StatusOK, `data-events="/events"`, "You have been logged out")
	}
	laptop.send(http.MethodPost, "/password", url.Values{}).want(t, http.StatusUnprocessableEntity, `data-events="/events"`)
	if at := laptop.send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusSeeOther).Header.Get("Location"); at != "/sessions" {
		t.Errorf("sent to %q", at)
	}
	laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, "in the 1 other place", "only on this device")
	if again := laptop.send(http.MethodGet, "/sessions", nil); strings.Contains(again.body, "1 other place") {
		t.Error("the notice is shown twice")
	}
	laptop.send(http.MethodPost, "/sessions/0123456789abcdef01234567/logout", nil).want(t, http.StatusNotFound, "Firefox on Linux", "not logged in there any more")
	for _, path := range []string{"/login", "/", "/nowhere"} {
		if a := s.person().send(http.MethodGet, path, nil); strings.Contains(a.body, "<script") {
			t.Errorf("GET %s: a page that anybody can see has a script", path)
		}
	}
}

// Where a device was used is shown as a network, behind our proxy too, and when as a person says it.
// Both are written with what is written anyway, and no log has them.
func TestNetworksAndTimesOfDevices(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone := s.person().with(firefox).from("198.51.100.7"), s.person().with(iPhone).from("2001:db8:1:2::3")
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	page := laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, "198.51.100.0/24", "2001:db8:1::/48", ">just now</time>")
	if strings.Contains(page.body, "198.51.100.7") || strings.Contains(page.body, "2001:db8:1:2") {
		t.Errorf("the page has a whole address: %s", page.body)
	}
	if n := strings.Count(page.body, ">just now</time>"); n != 2 {
		t.Errorf("%d devices were used just now, want 2: %s", n, page.body)
	}
	// The phone's next use, from elsewhere, is a touch: the session's lifetime is a week.
	s.later.Store(int64(20 * time.Hour))
	elsewhere := phone.from("203.0.113.9").with("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36")
	elsewhere.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	laptop.headers.Set("Accept", "application/json")
	l := laptop.list()
	if l.names() != "Firefox on Linux, Chrome on Windows" {
		t.Errorf("the devices are %s", l.names())
	}
	if d := l.Sessions[1]; d.Network != "203.0.113.0/24" || d.First != "2001:db8:1::/48" || d.Bound {
		t.Errorf("the phone is %+v", d)
	}
	phone.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, "Last used from the network", "Logged in from the network", ">2001:db8:1::/48<")
	// A day later only the current device is used now.
	s.later.Store(int64(44 * time.Hour))
	laptop.headers.Set("Accept", "text/html")
	page = laptop.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK, " UTC</time>")
	if n := strings.Count(page.body, ">just now</time>"); n != 1 {
		t.Errorf("%d devices were used just now, want 1: %s", n, page.body)
	}
	for _, private := range []string{"Mozilla", "198.51.100.0/24", "2001:db8:1::/48"} {
		if strings.Contains(s.log.String(), private) {
			t.Errorf("the log has %s", private)
		}
	}
}

func TestAVisitorHasNoDevices(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, b := range []*browser{s.program(), s.person()} {
		for _, path := range []string{"/sessions", "/sessions/events", "/events"} {
			b.send(http.MethodGet, path, nil).want(t, http.StatusUnauthorized, "You are not logged in.")
		}
		for _, path := range []string{"/sessions/0123456789abcdef01234567/logout", "/sessions/logout-others"} {
			b.send(http.MethodPost, path, nil).want(t, http.StatusUnauthorized, "You are not logged in.")
		}
	}
	if n := s.sessions.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestAnotherSiteEndsNoDevice(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone := s.program(), s.program()
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	other := laptop.list().Sessions[1].Session
	laptop.headers.Set("Sec-Fetch-Site", "cross-site")
	for _, path := range []string{"/sessions/" + other + "/logout", "/sessions/logout-others"} {
		laptop.send(http.MethodPost, path, nil).want(t, http.StatusForbidden, "Another site sent this request")
	}
	phone.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
}

// A user with very many sessions sees some of them, always with the current one, and can end all.
// Not more are read than are shown.
func TestManyDevices(t *testing.T) {
	t.Parallel()
	s := setup(t)
	all := []*browser{s.program().with("0/1.0")}
	all[0].register("kim", "correct horse battery")
	for i := range 130 {
		b := s.program().with(strconv.Itoa(i+1) + "/1.0")
		b.login("kim", "correct horse battery").want(t, http.StatusOK)
		all = append(all, b)
	}
	for i, b := range all {
		read := s.sessions.read.Load()
		l := b.list()
		if d := l.Sessions[0]; len(l.Sessions) != 100 || !l.More || d.Device != strconv.Itoa(i) || !d.Current || !strings.Contains(l.Text, "more than 100 devices") {
			t.Errorf("%d listed, more: %v; the first is %+v; %q", len(l.Sessions), l.More, d, l.Text)
		}
		if n := s.sessions.read.Load() - read; n != 101 {
			t.Errorf("%d were read", n)
		}
	}
	all[0].send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusOK, `{"ended_sessions":130}`)
}

func TestDevicesWithoutAStore(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b, p := s.program(), s.person()
	b.register("kim", "correct horse battery")
	p.login("kim", "correct horse battery")
	s.sessions.listsDown.Store(true)
	b.send(http.MethodGet, "/sessions", nil).want(t, http.StatusServiceUnavailable, "Try again in a moment")
	p.send(http.MethodGet, "/sessions", nil).want(t, http.StatusServiceUnavailable, "Not available")
	for _, path := range []string{"/sessions/0123456789abcdef01234567/logout", "/sessions/logout-others"} {
		b.send(http.MethodPost, path, nil).want(t, http.StatusServiceUnavailable, "Try again in a moment")
	}
	s.sessions.listsDown.Store(false)
	b.send(http.MethodGet, "/sessions", nil).want(t, http.StatusOK)
}
