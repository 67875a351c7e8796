package live_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// loginServer is `nestsession serve --express`, as an operator runs it.
type loginServer struct{ base string }

// commandFolder is the folder of the program, once a test has built it.
var commandFolder string

// command builds the program once for all tests.
var command = sync.OnceValues(func() (string, error) {
	var err error
	if commandFolder, err = os.MkdirTemp("", "nestsession-live-"); err != nil {
		return "", err
	}
	program := filepath.Join(commandFolder, "nestsession")
	build := exec.Command("../../.ci/in", "cmd/nestsession", "go", "build", "-o", program, ".")
	build.Stderr = os.Stderr
	return program, build.Run()
})

// startLoginServer starts one on a store, with its own accounts, or with those in the folder of
// another one.
func startLoginServer(t *testing.T, folder, store string, flags ...string) loginServer {
	t.Helper()
	program, err := command()
	if err != nil {
		t.Fatal(err)
	}
	serve := exec.Command(program, append([]string{"serve", "--express", "--address=127.0.0.1:0", "--data=" + folder}, flags...)...)
	serve.Env = append(os.Environ(), "NESTSESSION_STORE="+store, "NESTSESSION_SECRETS="+secret)
	var log bytes.Buffer
	serve.Stderr = &log
	stdout, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		defer time.AfterFunc(time.Minute, func() { _ = serve.Process.Kill() }).Stop()
		if err := serve.Wait(); err != nil || t.Failed() {
			t.Logf("the login server ended with %v and said\n%s", err, &log)
		}
	})
	out := bufio.NewReader(stdout)
	first, err := out.ReadString('\n')
	_, at, found := strings.Cut(first, "http://")
	if err != nil || !found {
		t.Fatalf("the login server said %q, %v", first, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return loginServer{"http://" + strings.Fields(at)[0]}
}

// person is a browser that goes to the login server and to Node.
type person struct {
	cookies map[string]string
	page    bool // it requests pages, not JSON
}

// said is a response of the login server.
type said struct {
	status int
	text   string
	sent   []*http.Cookie
}

func (p *person) at(t *testing.T, l loginServer, method, path, body string) said {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, l.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.page {
		r.Header.Set("Accept", "text/html")
	}
	for name, value := range p.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := said{resp.StatusCode, string(text), resp.Cookies()}
	for _, c := range a.sent {
		if p.cookies == nil {
			p.cookies = map[string]string{}
		}
		if p.cookies[c.Name] = c.Value; c.Value == "" {
			delete(p.cookies, c.Name)
		}
	}
	return a
}

// want fails unless the response has the status and the texts.
func (a said) want(t *testing.T, status int, texts ...string) said {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("the answer does not say %q: %s", text, a.text)
		}
	}
	return a
}

const password = "correct horse battery staple"

func credentials(name string) string {
	return `{"username":"` + name + `","password":"` + password + `"}`
}

// atNode visits Node with the person's cookie.
func (p *person) atNode(t *testing.T, node side, method, route string, body any) answer {
	t.Helper()
	v := visitor{app: "hour", cookie: p.cookies[cookieName]}
	a := v.visit(t, node, method, route, body)
	if v.cookie != "" {
		if p.cookies == nil {
			p.cookies = map[string]string{}
		}
		p.cookies[cookieName] = v.cookie
	}
	return a
}

// devices returns the digests on the person's list of devices, the current one first.
func (p *person) devices(t *testing.T, l loginServer) []string {
	t.Helper()
	var list struct{ Sessions []struct{ Session string } }
	if err := json.Unmarshal([]byte(p.at(t, l, "GET", "/sessions", "").want(t, 200).text), &list); err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, s := range list.Sessions {
		digests = append(digests, s.Session)
	}
	return digests
}
