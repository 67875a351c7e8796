// Package clients sends session ids with real clients: browsers by cookie, the others in a
// header, all to one application.
package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
)

func init() { servers.KeepConnections() }

// maxWait limits a browser, on a slow machine.
const maxWait = 5 * time.Minute

type account struct {
	User string `json:"user,omitempty"`
}

// site is the application. It refuses what another site makes a browser send.
type site struct {
	*httptest.Server
	result chan []byte // of the browser's page
}

func newSite(t *testing.T, use session.HeaderUse) *site {
	t.Helper()
	m, err := session.New[account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"},
		Cookie:  session.Cookie{Secure: session.SecureAuto},
		Header:  session.Header{Use: use, Response: "X-Session-Token"},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s := &site{result: make(chan []byte, 1)}
	mux := http.NewServeMux()
	route := func(pattern string, h func(r *http.Request, s *session.Session[account]) error) {
		mux.HandleFunc(pattern, m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			answer := map[string]string{}
			err := h(r, s)
			if err == nil && r.URL.Path == "/login" && r.Header.Get("Accept") == "application/json" { // a program
				answer["token"], err = s.Token(r.Context())
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer["user"] = s.Data().User
			_ = json.NewEncoder(w).Encode(answer)
		}))
	}
	route("POST /login", func(r *http.Request, s *session.Session[account]) error {
		user := r.FormValue("user")
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			return err
		}
		s.Update(func(a *account) { a.User = user })
		return nil
	})
	route("POST /renew", func(r *http.Request, s *session.Session[account]) error { return s.Renew(r.Context()) })
	route("GET /me", func(*http.Request, *session.Session[account]) error { return nil })
	route("POST /logout", func(r *http.Request, s *session.Session[account]) error { return s.Destroy(r.Context()) })
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/page.html") })
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body) // the test reports what is missing
		s.result <- text
	})
	s.Server = httptest.NewServer(http.NewCrossOriginProtection().Handler(mux))
	t.Cleanup(s.Close)
	return s
}

// uses are the settings with which both kinds of client work in one application.
func uses(t *testing.T, run func(t *testing.T, s *site)) {
	t.Parallel()
	for name, use := range map[string]session.HeaderUse{"HeaderWins": session.HeaderWins, "CookieWins": session.CookieWins} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newSite(t, use))
		})
	}
}

// sender sends a request and returns the response with its body.
type sender func(t *testing.T, method, url, token string) (*http.Response, map[string]string)

// goClient is net/http's client.
func goClient(c *http.Client) sender {
	return func(t *testing.T, method, url, token string) (*http.Response, map[string]string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Jar == nil {
			r.Header.Set("Accept", "application/json")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return res, decoded(t, res)
	}
}

func decoded(t *testing.T, res *http.Response) (body map[string]string) {
	t.Helper()
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatalf("%s: %v", res.Status, err)
	}
	return body
}

// curl reads its arguments from stdin, so that the token is in no list of processes.
func curl(t *testing.T, method, url, token string) (*http.Response, map[string]string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "curl", "--silent", "--show-error", "--include", "--request", method, "--header", "Accept: application/json", "--config", "-", url)
	if token != "" {
		c.Stdin = strings.NewReader(`header = "Authorization: Bearer ` + token + `"`)
	}
	out, err := c.Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	if err != nil {
		t.Fatalf("curl printed %q: %v", out, err)
	}
	return res, decoded(t, res)
}

// withToken is what a client does that keeps its token.
func withToken(t *testing.T, s *site, send sender) {
	t.Helper()
	token := ""
	do := func(method, path string) string {
		t.Helper()
		res, body := send(t, method, s.URL+path, token)
		if lines := res.Header["Set-Cookie"]; res.StatusCode != http.StatusOK || len(lines) > 0 {
			t.Errorf("%s: %s, cookies %q", path, res.Status, lines)
		}
		if body["token"] != "" {
			token = body["token"]
		}
		if changed := res.Header.Get("X-Session-Token"); changed != "" {
			token = changed
		}
		return body["user"]
	}
	do("POST", "/login?user=ada")
	before := token
	if do("POST", "/renew"); token == before || token == "" {
		t.Errorf("a renewal gives no other token")
	}
	if got := do("GET", "/me"); got != "ada" {
		t.Errorf("with the new token it is %q", got)
	}
	do("POST", "/logout")
	if got := do("GET", "/me"); got != "" {
		t.Errorf("after the logout it is %q", got)
	}
}

func TestGoClient(t *testing.T) {
	uses(t, func(t *testing.T, s *site) { withToken(t, s, goClient(s.Client())) })
}

func TestCurl(t *testing.T) {
	uses(t, func(t *testing.T, s *site) { withToken(t, s, curl) })
}

func TestNodeFetch(t *testing.T) {
	uses(t, func(t *testing.T, s *site) {
		out, err := exec.CommandContext(t.Context(), "node", "testdata/client.mjs", s.URL).CombinedOutput()
		if want := `{"me":"node","changed":true,"after":""}`; err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("node: %v, printed %s, want %s", err, out, want)
		}
	})
}

// A client with a cookie jar gets cookies, and no token.
func TestCookieJar(t *testing.T) {
	uses(t, func(t *testing.T, s *site) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		send := goClient(&http.Client{Jar: jar})
		for _, path := range []string{"/login?user=ada", "/renew"} {
			res, body := send(t, "POST", s.URL+path, "")
			if body["user"] != "ada" || len(res.Header["Set-Cookie"]) != 1 || res.Header.Get("X-Session-Token") != "" {
				t.Errorf("%s: %q, %v", path, body, res.Header)
			}
		}
		if _, body := send(t, "GET", s.URL+"/me", ""); body["user"] != "ada" {
			t.Errorf("/me: %q", body)
		}
	})
}

// A browser's page, which other clients' settings do not disturb: its session is that of the
// cookie, its scripts never get a token, and where the header wins a header with a bad token
// is nobody.
func TestChromium(t *testing.T) {
	uses(t, func(t *testing.T, s *site) {
		ctx, stop := context.WithTimeout(t.Context(), maxWait)
		defer stop()
		browser := exec.CommandContext(ctx, chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", s.URL+"/page")
		browser.WaitDelay = time.Minute
		var complaints bytes.Buffer
		browser.Stderr = &complaints
		if err := browser.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = browser.Process.Signal(os.Interrupt)
			_ = browser.Wait() // it was interrupted
		}()
		bad := ""
		if strings.Contains(t.Name(), "CookieWins") {
			bad = "chromium"
		}
		want := fmt.Sprintf(`{"me":"chromium","bad":%q,"still":"chromium","after":"","tokens":0,"cookie":""}`, bad)
		select {
		case got := <-s.result:
			if string(got) != want {
				t.Errorf("the page has seen %s, want %s", got, want)
			}
		case <-ctx.Done():
			t.Errorf("the page has sent nothing: %s", complaints.Bytes())
		}
	})
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: run .ci/setup-chromium.sh, or set CHROMIUM to the path of one")
	return ""
}
