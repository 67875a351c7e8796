package howto_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/examples/internal/browser"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h := a.Routes()
	b := browser.New()
	for _, path := range []string{"/login?name=ada&password=wrong", "/login?name=nobody&password=wrong", "/login"} {
		if got := b.Visit(h, "POST", path); got != "401" {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := b.Visit(h, "GET", "/me"); got != "401" {
		t.Errorf("without a login: %s", got)
	}
	login(t, h, b, "ada")
	if got := b.Visit(h, "GET", "/me"); got != "ada\n" {
		t.Errorf("logged in: %q", got)
	}
	stolen := browser.New()
	for name, value := range b.Cookies() {
		stolen.SetCookies(&http.Cookie{Name: name, Value: value, Secure: true, Path: "/"})
	}
	if got := stolen.Visit(h, "GET", "/me"); got != "ada\n" {
		t.Errorf("with a copy of the cookie: %q", got)
	}
	if got := b.Visit(h, "POST", "/logout"); got != "303" {
		t.Errorf("the logout: %s", got)
	}
	for who, b := range map[string]*browser.Browser{"the browser": b, "a copy of the cookie": stolen} {
		if got := b.Visit(h, "GET", "/me"); got != "401" {
			t.Errorf("after the logout, %s: %s", who, got)
		}
	}
}

func TestTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	_ = a.Users.DB.Close()
	if got := browser.New().Visit(a.Routes(), "POST", "/login?name=ada&password=correct+horse+battery"); got != "503" {
		t.Errorf("answered %s", got)
	}
}

func TestAChangedPasswordEndsTheOthers(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h := a.Routes()
	laptop, phone, grace := login(t, h, nil, "ada"), login(t, h, nil, "ada"), login(t, h, nil, "grace")
	before := laptop.Cookies()["__Host-sid"]
	if got := laptop.Visit(h, "POST", "/password?present=wrong&password=another"); got != "403" {
		t.Errorf("with the wrong password: %s", got)
	}
	if got := laptop.Visit(h, "POST", "/password?present=correct+horse+battery&password=another"); got != "303" {
		t.Fatalf("changing it: %s", got)
	}
	if after := laptop.Cookies()["__Host-sid"]; after == before {
		t.Error("the session's id is the one of before")
	}
	for who, c := range map[string]struct {
		b    *browser.Browser
		want string
	}{"the laptop": {laptop, "ada\n"}, "the phone": {phone, "401"}, "grace": {grace, "grace\n"}} {
		if got := c.b.Visit(h, "GET", "/me"); got != c.want {
			t.Errorf("%s: %q", who, got)
		}
	}
	if got := browser.New().Visit(h, "POST", "/login?name=ada&password=another"); got != "303" {
		t.Errorf("with the new password: %s", got)
	}
}

// Six items are put in while the login is under way, and all are in the cart of the user.
func TestTheCartOutlivesTheLogin(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h := a.Routes()
	b := browser.New()
	b.Visit(h, "POST", "/cart?item=bread")
	var loaded, done sync.WaitGroup
	loggedIn := make(chan struct{})
	add := a.Sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *howto.Session) {
		loaded.Done()
		<-loggedIn
		a.AddToCart(w, r, s)
	})
	loaded.Add(6)
	for range 6 {
		r := b.Request("POST", "/cart?item=milk")
		done.Go(func() { add(httptest.NewRecorder(), r) })
	}
	loaded.Wait()
	login(t, h, b, "ada")
	close(loggedIn)
	done.Wait()
	if got, want := b.Visit(h, "GET", "/cart"), "bread\nmilk\nmilk\nmilk\nmilk\nmilk\nmilk\n"; got != want {
		t.Errorf("the cart:\n%s", got)
	}
}

// A user who logs in where another user is logged in gets none of that user's data.
func TestTheCartOfAnotherUser(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, session.Config{})
	h := a.Routes()
	b := login(t, h, nil, "ada")
	b.Visit(h, "POST", "/cart?item=bread")
	login(t, h, b, "grace")
	if got := b.Visit(h, "GET", "/cart"); got != "" {
		t.Errorf("grace has ada's cart: %q", got)
	}
}
