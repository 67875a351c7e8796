package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// The applications know nothing of the sessions. They answer with what they have been told.
var applications = map[string][]string{
	"Python": {"python3", "-c", `
import http.server, json
class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {}
        for name, value in self.headers.items():
            name = name.upper().replace("-", "_")  # as WSGI does
            headers[name] = headers[name] + "," + value if name in headers else value
        body = json.dumps({"path": self.path, "method": self.command, "sent": sent, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "theme=dark")
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
print(server.server_address[1], flush=True)
server.serve_forever()
`},
	"Node": {"node", "-e", `
const server = require("http").createServer((request, response) => {
  let sent = "";
  request.on("data", (part) => { sent += part; });
  request.on("end", () => {
    const headers = {};
    for (const [name, value] of Object.entries(request.headers)) headers[name.toUpperCase().replaceAll("-", "_")] = String(value);
    response.setHeader("Content-Type", "application/json");
    response.setHeader("Set-Cookie", "theme=dark");
    response.end(JSON.stringify({ path: request.url, method: request.method, sent, headers }));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`},
}

// No Debian package has Traefik, so that the tests build its middleware themselves.
var wholeTraefik = flag.Bool("traefik", false, "run TestBehindAProxy with the whole Traefik, which must be in $PATH")

// TestBehindAProxy runs the configurations of examples/gateway in front of applications.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	traefik := sync.OnceValues(func() (string, error) { return buildTraefik(folder) })
	for language, command := range applications {
		application := startApplication(t, command)
		configurations := map[servers.ProxyKind][]string{
			servers.Nginx:   {"nginx.conf"},
			servers.Caddy:   {"Caddyfile"},
			servers.HAProxy: {"haproxy.cfg", "session.lua"},
			servers.Traefik: {"traefik.yml", "traefik-dynamic.yml"},
		}
		for kind, files := range configurations {
			t.Run(fmt.Sprintf("%s/%s", kind, language), func(t *testing.T) {
				t.Parallel()
				g := &gateway{T: t, folder: t.TempDir()}
				if kind == servers.Traefik {
					g.named, g.keepsCookie = "sid-session", true
				}
				g.start()
				t.Cleanup(func() { endNode(t, g.node) })
				texts := map[string]string{}
				for _, name := range files {
					text, err := os.ReadFile(filepath.Join("../../../../examples/gateway", name))
					if err != nil {
						t.Fatal(err)
					}
					texts[name] = strings.NewReplacer("127.0.0.1:8080", g.sessions, "127.0.0.1:3000", application).Replace(string(text))
				}
				if kind == servers.Traefik && !*wholeTraefik {
					program, err := traefik()
					if err != nil {
						t.Fatalf("building Traefik's middleware: %v", err)
					}
					g.proxy = servers.StartProxyAt(t, program, kind, texts)
				} else {
					g.proxy = servers.StartProxy(t, kind, texts)
				}
				g.run()
			})
		}
	}
}

func startApplication(t *testing.T, command []string) (address string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var port int
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// gateway is a session server, and a proxy in front of it and of an application.
type gateway struct {
	*testing.T
	folder   string
	node     *exec.Cmd
	sessions string // the address of the session server
	proxy    *servers.Proxy

	named       string // the name of the session's cookie, "" for that of the session server
	keepsCookie bool   // the proxy cannot remove the session's cookie from what the application gets
}

// start starts the session server, at the address that it had before.
func (g *gateway) start() {
	g.Helper()
	address := "127.0.0.1:0"
	if g.sessions != "" {
		address = g.sessions
	}
	g.node, g.sessions = g.launch(address)
}

// launch starts a session server.
func (g *gateway) launch(address string) (node *exec.Cmd, at string) {
	g.Helper()
	flags := []string{"--address", address, "--trusted-proxy", "127.0.0.1", "--cookie-domain", "example.com",
		"--allow", "http://*.example.com", "--public-url", "http://login.example.com", "--secure", "never", "--max-age", "60s"}
	if g.named != "" {
		flags = append(flags, "--cookie-name", g.named)
	}
	node, at = launchNode(g.T, g.folder, "", flags...)
	return node, strings.TrimPrefix(at, "http://")
}

// visitor is a browser whose requests go through the proxy.
func (g *gateway) visitor() *http.Client {
	return g.visitorOf(func(string) string { return g.proxy.Addr() })
}

// visitorOf is a browser that reaches each host at the address that where returns.
func (g *gateway) visitorOf(where func(host string) string) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.Fatal(err)
	}
	return &http.Client{
		Jar:           jar,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, where(host))
		}},
	}
}

type reply struct {
	*http.Response
	body string
}

// send makes a request as a browser that goes to a page, unless headers say otherwise.
func (g *gateway) send(c *http.Client, method, at, body string, headers ...string) reply {
	g.Helper()
	r, err := http.NewRequestWithContext(g.Context(), method, at, strings.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.Fatal(err)
	}
	return reply{response, strings.ReplaceAll(string(text), `": `, `":`)} // as Node writes JSON
}

func (g *gateway) want(a reply, status int, texts ...string) {
	g.Helper()
	if a.StatusCode != status {
		g.Fatalf("%s %s: %s: %s", a.Request.Method, a.Request.URL, a.Status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			g.Errorf("%s %s does not contain %q: %s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

const (
	appURL   = "http://app.example.com"
	loginURL = "http://login.example.com"
	form     = "username=kim&password=correct+horse+battery"
)

func (g *gateway) run() {
	// A visitor is sent to the login, and comes back to the page that he wanted.
	b := g.visitor()
	page := appURL + "/orders?year=2026&q=a%20b"
	a := g.send(b, "GET", page, "")
	g.want(a, 302)
	to := a.Header.Get("Location")
	if want := loginURL + "/login?back=" + url.QueryEscape(page); to != want {
		g.Fatalf("sent to %q, not to %q", to, want)
	}
	g.want(g.send(b, "GET", to, ""), 200, `name="back"`)
	g.want(g.send(b, "GET", appURL+"/api", "", "Sec-Fetch-Mode", "cors"), 401)
	g.want(g.send(b, "GET", appURL+"/api", "", "X-Requested-With", "XMLHttpRequest"), 401)
	g.want(g.send(b, "POST", appURL+"/orders", "item=1"), 401, "was not passed on", loginURL+"/login?back=")
	a = g.send(b, "POST", loginURL+"/register", form+"&back="+url.QueryEscape(page))
	g.want(a, 303)
	if to := a.Header.Get("Location"); to != page {
		g.Errorf("the login leads to %q", to)
	}
	a = g.send(b, "GET", page, "")
	g.want(a, 200, `"path":"/orders?year=2026&q=a%20b"`, `"REMOTE_USER":"kim"`, `"REMOTE_USER_ID":"1"`, `"REMOTE_SESSION":"`)
	if strings.Contains(a.body, "sid-") && !g.keepsCookie || !strings.Contains(strings.Join(a.Header["Set-Cookie"], "\n"), "theme=dark") {
		g.Errorf("the application gets the session's cookie, or its own is lost: %s %q", a.body, a.Header["Set-Cookie"])
	}
	g.want(g.send(b, "POST", appURL+"/orders", "item=1"), 200, `"sent":"item=1"`, `"method":"POST"`)

	// Nobody can say who he is.
	forged := []string{}
	for _, name := range []string{"Remote-User", "remote-user", "Remote_User", "Remote-User-Id", "Remote_User_Id", "Remote_User-Id", "Remote-Session", "Remote_Session", "Remote-Session-Expires", "Remote_Session_Expires", "Remote-User_Id"} {
		forged = append(forged, name, "root")
	}
	if a = g.send(b, "GET", appURL+"/", "", forged...); a.StatusCode != 200 || strings.Contains(a.body, "root") {
		g.Errorf("a forged header reaches the application: %s %s", a.Status, a.body)
	}
	// Nor can he take away who he is: what Connection names is not passed on.
	g.want(g.send(b, "GET", appURL+"/", "", "Connection", "Remote-User, Remote-User-Id"), 200, `"REMOTE_USER":"kim"`, `"REMOTE_USER_ID":"1"`)
	forged = append(forged, "X-Original-Method", "GET", "X-Original-Url", "http://evil.example/", "X-Forwarded-Uri", "/evil")
	if to := g.send(g.visitor(), "GET", appURL+"/x", "", forged...).Header.Get("Location"); to != loginURL+"/login?back="+url.QueryEscape(appURL+"/x") {
		g.Errorf("a client chose the way back: %q", to)
	}

	// The cookie of a session in use moves on, through the proxy: every tenth of its life.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		a := g.send(b, "GET", appURL+"/", "")
		g.want(a, 200, `"REMOTE_USER":"kim"`)
		if strings.Contains(strings.Join(a.Header["Set-Cookie"], "\n"), "sid-") {
			break
		}
		if time.Since(began) > time.Minute {
			g.Fatal("the session's cookie never moved")
		}
	}

	// The session server is started again, and the user is still logged in. Meanwhile nobody passes.
	endNode(g.T, g.node)
	if a = g.send(b, "GET", appURL+"/", ""); a.StatusCode < 500 {
		g.Errorf("without the session server: %s", a.Status)
	}
	g.start()
	g.want(g.send(b, "GET", appURL+"/", ""), 200, `"REMOTE_USER":"kim"`)

	// Two session servers are one: a login and a logout at the other count at once.
	second, at := g.launch("127.0.0.1:0")
	defer endNode(g.T, second)
	elsewhere := g.visitorOf(func(host string) string {
		if host == "login.example.com:80" {
			return at
		}
		return g.proxy.Addr()
	})
	g.want(g.send(elsewhere, "POST", loginURL+"/login", form), 303)
	g.want(g.send(elsewhere, "GET", appURL+"/", ""), 200, `"REMOTE_USER":"kim"`)
	g.want(g.send(elsewhere, "POST", loginURL+"/logout", ""), 303)
	g.want(g.send(elsewhere, "GET", appURL+"/", ""), 302)

	// A copied jar is useless after the logout everywhere.
	stolen := g.visitor()
	stolen.Jar = b.Jar
	copied, err := cookiejar.New(nil)
	if err != nil {
		g.Fatal(err)
	}
	u, _ := url.Parse(appURL)
	for _, c := range b.Jar.Cookies(u) {
		copied.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value}})
	}
	stolen.Jar = copied
	g.want(g.send(stolen, "GET", appURL+"/", ""), 200)
	other := g.visitor()
	g.want(g.send(other, "POST", loginURL+"/login", form), 303)
	g.want(g.send(other, "POST", loginURL+"/sessions/logout-others", ""), 303)
	g.want(g.send(stolen, "GET", appURL+"/", "", "Sec-Fetch-Mode", "cors"), 401)
	g.want(g.send(b, "GET", appURL+"/", ""), 302)
	g.want(g.send(other, "GET", appURL+"/", ""), 200)
}
