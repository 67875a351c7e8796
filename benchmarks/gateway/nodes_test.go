//go:build linux

package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "gateway")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "nestsession")
	return servers.Main(m)
}

// program is where build puts nestsession.
var program string

const (
	appURL   = "http://app.example.com"
	loginURL = "http://login.example.com"
	account  = "username=kim&password=correct+horse+battery"
)

// build makes the program as it is released: its nodes are processes of their own, whose CPU time is known.
var build = sync.OnceValue(func() error {
	build := exec.Command("../../.ci/in", "cmd/nestsession", "go", "build", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building nestsession: %w: %s", err, out)
	}
	return nil
})

// site is a session server, nestsession proxy, and the application behind it.
type site struct {
	application, sessions, proxy string // addresses
	sessionsPID, proxyPID        int
}

func startSite(t *testing.T, store string) *site {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	application := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(application.Close)
	s := &site{application: strings.TrimPrefix(application.URL, "http://")}
	data := t.TempDir()
	shared := []string{"--data", data, "--address", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1", "--cookie-domain", "example.com", "--public-url", loginURL, "--secure", "never"}
	s.sessions, s.sessionsPID = launch(t, store, append([]string{"serve", "--allow", "http://*.example.com"}, shared...)...)
	s.proxy, s.proxyPID = launch(t, store, append([]string{"proxy", "--upstream", application.URL}, shared...)...)
	return s
}

func launch(t *testing.T, store string, arguments ...string) (address string, pid int) {
	t.Helper()
	node := exec.Command(program, arguments...)
	node.Env = append(os.Environ(), "NESTSESSION_STORE="+store)
	var written strings.Builder
	node.Stderr = &written
	out, err := node.StdoutPipe()
	if err == nil {
		err = node.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("ending the node: %v", err)
		}
		if err := node.Wait(); err != nil || t.Failed() {
			t.Logf("%s ended: %v; it wrote:\n%s", arguments[0], err, written.String())
		}
	})
	first, err := bufio.NewReader(out).ReadString('\n')
	_, rest, found := strings.Cut(first, "http://")
	if err != nil || !found {
		t.Fatalf("the node said %q: %v", first, err)
	}
	return strings.Fields(rest)[0], node.Process.Pid
}

// answer is the application: a page that says who the user is, or a stream that does not end by itself.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/stream" {
		fmt.Fprintf(w, "user %q cookie %q", r.Header.Get("Remote-User"), r.Header.Get("Cookie"))
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// visitor is a browser that finds login.example.com at the session server, and the application's host at gate.
func (s *site) visitor(t *testing.T, gate string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
		at := gate
		if host == "login.example.com:80" {
			at = s.sessions
		}
		return new(net.Dialer).DialContext(ctx, network, at)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask makes a request as a browser that goes to a page, unless headers say otherwise.
func ask(c *http.Client, method, at, form string, headers ...string) (status int, body string, err error) {
	r, err := http.NewRequest(method, at, strings.NewReader(form))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Accept", "text/html")
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func must(t *testing.T, c *http.Client, want int, method, at, form string, headers ...string) (body string) {
	t.Helper()
	status, body, err := ask(c, method, at, form, headers...)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d, want %d: %s (%v)", method, at, status, want, body, err)
	}
	return body
}

// page is what the application says of a user who is logged in.
const page = `user "kim" cookie ""`

// check makes sure that what is measured keeps the promises.
func (s *site) check(t *testing.T, gate string) {
	t.Helper()
	c := s.visitor(t, gate)
	must(t, c, 302, "GET", appURL+"/", "")
	must(t, c, 401, "GET", appURL+"/", "", "Sec-Fetch-Mode", "cors")
	must(t, c, 303, "POST", loginURL+"/login", account)
	if body := must(t, c, 200, "GET", appURL+"/", "", "Remote-User", "root"); body != page {
		t.Fatalf("the application says %s, want %s", body, page)
	}
	must(t, c, 303, "POST", loginURL+"/logout", "")
	must(t, c, 302, "GET", appURL+"/", "")
}

// cpu returns the CPU time of processes and of their children so far, in steps of 10 ms. getrusage has it
// only for children that have ended, and so not for each turn.
func cpu(t *testing.T, pids ...int) (sum time.Duration) {
	t.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
		for _, field := range fields[11:13] { // utime, stime
			ticks, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 everywhere
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range strings.Fields(string(children)) {
			id, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			sum += cpu(t, id)
		}
	}
	return sum
}

func redisURL(t *testing.T) string {
	t.Helper()
	r := servers.SharedRedis(t)
	return "redis://:" + url.QueryEscape(r.Password()) + "@" + r.Addr() + "/0?prefix=" + url.QueryEscape(t.Name()) + ":"
}

func load(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
