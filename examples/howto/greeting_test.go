package howto_test

import (
	"net/http/httptest"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/howto"
	"github.com/nestsession/session/sessiontest"
)

// A function that takes a session needs no HTTP.
func TestGreeting(t *testing.T) {
	s := sessiontest.New(t, howto.Account{Nickname: "Ada"})
	if got := howto.Greeting(s); got != "Hello, Ada" {
		t.Errorf("got %q", got)
	}
}

// A handler gets a request of a logged-in user.
func TestSetNickname(t *testing.T) {
	app, _ := newApp(t, session.Config{})
	r := httptest.NewRequest("POST", "https://shop.test/nickname?nickname=Countess", nil)
	sessiontest.Attach(t, app.Sessions, r, howto.Account{User: 1, Cart: []string{"bread"}}, "user:1")
	w := httptest.NewRecorder()
	app.Routes().ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "Hello, Countess\n" {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
	s := sessiontest.After(t, app.Sessions, r, w.Result()) // the client's session from now on
	if got := s.Data(); got.Nickname != "Countess" || len(got.Cart) != 1 {
		t.Errorf("the session holds %+v", got)
	}
}

// A logout removes the cookie and ends the session.
func TestLogout(t *testing.T) {
	app, _ := newApp(t, session.Config{})
	r := httptest.NewRequest("POST", "https://shop.test/logout", nil)
	s := sessiontest.Attach(t, app.Sessions, r, howto.Account{User: 1}, "user:1")
	w := httptest.NewRecorder()
	app.Routes().ServeHTTP(w, r)
	if c := sessiontest.Cookie(t, app.Sessions, w.Result()); c == nil || c.Value != "" {
		t.Errorf("the cookie: %v", c)
	}
	if err := s.Reload(t.Context()); err == nil {
		t.Error("the session is still there")
	}
}

func sessionWith(t *testing.T, data howto.Account) *howto.Session {
	t.Helper()
	return sessiontest.New(t, data)
}
