package frameworks_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/examples/frameworks"
)

func sessions(t *testing.T) *frameworks.Manager {
	t.Helper()
	m, err := session.New[frameworks.Account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// client keeps cookies.
func client(t *testing.T, base http.RoundTripper) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: base}
}

// ask returns the body of an answer, or the status that is not 200.
func ask(t *testing.T, c *http.Client, method, address string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	return string(body)
}

// logsIn tries the routes of an example: a login gives a cookie, with a new id where
// there was one before, and the page says who it is.
func logsIn(t *testing.T, c *http.Client, address string) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, c, "GET", address+"/me"); got != "" || len(c.Jar.Cookies(at)) != 0 {
		t.Errorf("a visitor: %q, and the cookies %v", got, c.Jar.Cookies(at))
	}
	last := ""
	for _, user := range []string{"ada", "ada", "grace"} {
		if got := ask(t, c, "POST", address+"/login?user="+user); got != "" {
			t.Errorf("the login: %q", got)
		}
		if got := ask(t, c, "GET", address+"/me"); got != user {
			t.Errorf("after the login of %s: %q", user, got)
		}
		cookies := c.Jar.Cookies(at)
		if len(cookies) != 1 || cookies[0].Value == last {
			t.Fatalf("the cookies: %v", cookies)
		}
		last = cookies[0].Value
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for name, routes := range map[string]func(*frameworks.Manager) http.Handler{
		"chi": frameworks.Chi, "gin": frameworks.Gin, "echo": frameworks.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(routes(sessions(t)))
			defer server.Close()
			logsIn(t, client(t, nil), server.URL)
		})
	}
}
