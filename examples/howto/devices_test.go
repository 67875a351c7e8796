package howto_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/examples/internal/browser"
)

var digests = regexp.MustCompile(`value="([^"]+)">`)

func TestDevices(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h := a.Routes()
	laptop, phone, grace := login(t, h, nil, "ada"), login(t, h, nil, "ada"), login(t, h, nil, "grace")
	if got := browser.New().Visit(h, "GET", "/devices"); got != "401" {
		t.Errorf("a visitor: %s", got)
	}
	page := laptop.Visit(h, "GET", "/devices")
	if n := strings.Count(page, "<form"); n != 2 || strings.Count(page, "this one") != 1 {
		t.Errorf("%d devices:\n%s", n, page)
	}
	for _, line := range strings.SplitAfter(page, "</form>") {
		if m := digests.FindStringSubmatch(line); m != nil && !strings.Contains(line, "this one") {
			if got := grace.Visit(h, "POST", "/devices/logout?session="+m[1]); got != "404" {
				t.Errorf("another user ends it: %s", got)
			}
			if got := laptop.Visit(h, "POST", "/devices/logout?session="+m[1]); got != "303" {
				t.Errorf("ending the phone's: %s", got)
			}
		}
	}
	if l, p := laptop.Visit(h, "GET", "/me"), phone.Visit(h, "GET", "/me"); l != "ada\n" || p != "401" {
		t.Errorf("the laptop %q, the phone %q", l, p)
	}
	phone = login(t, h, nil, "ada")
	page = phone.Visit(h, "GET", "/devices")
	digest := digests.FindStringSubmatch(page)[1]
	if got := phone.Visit(h, "POST", "/devices/name?name=the+%3Cphone%3E&session="+digest); got != "303" {
		t.Errorf("naming a device: %s", got)
	}
	if got := grace.Visit(h, "POST", "/devices/name?name=mine&session="+digest); got != "404" {
		t.Errorf("naming another user's: %s", got)
	}
	page = phone.Visit(h, "GET", "/devices")
	if strings.Count(page, "the &lt;phone&gt;") != 1 || strings.Count(page, "from 192.0.2.0/24") != 2 {
		t.Errorf("the named device:\n%s", page)
	}
	if got := phone.Visit(h, "POST", "/devices/erase"); got != "303" {
		t.Errorf("erasing: %s", got)
	}
	if page = phone.Visit(h, "GET", "/devices"); strings.Contains(page, "phone") || strings.Contains(page, "192.0.2") {
		t.Errorf("after the devices were erased:\n%s", page)
	}
	if got := laptop.Visit(h, "POST", "/devices/logout-others"); got != "303" {
		t.Errorf("ending the others: %s", got)
	}
	if l, p, g := laptop.Visit(h, "GET", "/me"), phone.Visit(h, "GET", "/me"), grace.Visit(h, "GET", "/me"); l != "ada\n" || p != "401" || g != "grace\n" {
		t.Errorf("the laptop %q, the phone %q, grace %q", l, p, g)
	}
}

func TestARoleThatIsTakenAway(t *testing.T) {
	t.Parallel()
	a, users := newApp(t, session.Config{})
	h := a.Routes()
	for range 2 {
		login(t, h, nil, "ada")
	}
	if err := a.SetAdmin(t.Context(), users["ada"], false); err != nil {
		t.Fatal(err)
	}
	n := 0
	for info, err := range a.Sessions.List(t.Context(), users["ada"].Owner()) {
		if n++; err != nil || info.Data.Admin {
			t.Errorf("%v has %+v: %v", info, info.Data, err)
		}
	}
	if user, err := a.Users.Authenticate(t.Context(), "ada", password); n != 2 || err != nil || user.Admin {
		t.Errorf("%d sessions, and the database has %+v: %v", n, user, err)
	}
}

func TestActingAsAnother(t *testing.T) {
	t.Parallel()
	a, users := newApp(t, session.Config{})
	h := a.Routes()
	ada, grace := login(t, h, nil, "ada"), login(t, h, nil, "grace")
	if got := grace.Visit(h, "POST", "/act-as?user=1"); got != "403" {
		t.Errorf("one who is no administrator: %s", got)
	}
	if got := ada.Visit(h, "POST", "/act-as?user=2"); got != "303" {
		t.Errorf("ActAs: %s", got)
	}
	subject := func() (id int64, owner string) {
		for info, err := range a.Sessions.List(t.Context(), users["ada"].Owner()) {
			if err != nil {
				t.Fatal(err)
			}
			s := sessionWith(t, info.Data)
			id, owner = howto.Subject(s), info.Owner
		}
		return id, owner
	}
	if id, owner := subject(); id != users["grace"].ID || owner != users["ada"].Owner() {
		t.Errorf("acts as %d, and is %q", id, owner)
	}
	if got := ada.Visit(h, "POST", "/act-as-myself"); got != "303" {
		t.Errorf("ActAsMyself: %s", got)
	}
	if id, _ := subject(); id != users["ada"].ID {
		t.Errorf("acts as %d", id)
	}
	ada.Visit(h, "POST", "/act-as?user=2")
	if err := a.SetAdmin(t.Context(), users["ada"], false); err != nil {
		t.Fatal(err)
	}
	if id, _ := subject(); id != users["ada"].ID {
		t.Errorf("who is no administrator any more acts as %d", id)
	}
}
