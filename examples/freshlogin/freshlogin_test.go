package freshlogin_test

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/freshlogin"
	"github.com/nestsession/session/examples/internal/browser"
)

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// A visitor posts a payment, logs in, and sends it by the button of the page.
func TestAPaymentWaitsForTheLogin(t *testing.T) {
	t.Parallel()
	sessions, err := session.New[freshlogin.Account](session.Config{Secrets: []string{"a secret for tests, 32 bytes or so"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Close() })
	var paid []string
	app := &freshlogin.App{
		Sessions:     sessions,
		Authenticate: func(_ context.Context, user, password string) bool { return user == "ada" && password == "correct" },
		Pay: func(_ context.Context, user, to, amount string) error {
			paid = append(paid, user+" to "+to+": "+amount)
			return nil
		},
	}
	if err := app.Protect(); err != nil {
		t.Fatal(err)
	}
	h, b := app.Routes(), browser.New()
	send := func(method, path string, form url.Values) *http.Response {
		t.Helper()
		r, w := b.Request(method, path), httptest.NewRecorder()
		r.Header.Set("Accept", "text/html")
		if form != nil {
			body := strings.NewReader(form.Encode())
			post := httptest.NewRequest(method, "https://shop.test"+path, body)
			post.Header = r.Header
			post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r = post
		}
		h.ServeHTTP(w, r)
		b.SetCookies(w.Result().Cookies()...)
		return w.Result()
	}
	fields := func(page string) url.Values {
		v := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(page, -1) {
			v.Add(m[1], html.UnescapeString(m[2]))
		}
		return v
	}
	payment := url.Values{"to": {"bob & co"}, "amount": {"7"}}
	at := send("POST", "/payments", payment).Header.Get("Location")
	form := fields(b.Visit(h, "GET", at))
	form.Set("user", "ada")
	form.Set("password", "wrong")
	if res := send("POST", "/login", form); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", res.StatusCode)
	}
	form.Set("password", "correct")
	at = send("POST", "/login", form).Header.Get("Location")
	page := b.Visit(h, "GET", at)
	if len(paid) != 0 {
		t.Errorf("before the click: %q", paid)
	}
	if res := send("POST", "/payments", fields(page)); res.StatusCode != http.StatusOK || len(paid) != 1 || paid[0] != "ada to bob & co: 7" {
		t.Errorf("after the click: %d, %q", res.StatusCode, paid)
	}
}
