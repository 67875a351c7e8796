package interop_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/tests/internal/node"
)

func init() { servers.KeepConnections() }

// side is one of the two programs. Both serve the same routes: /write and /read change and read a
// session; PUT and GET of a record under its id.
type side struct {
	name string
	base string // URL
}

// nodeApp is one of the applications in the Node process.
type nodeApp struct {
	Name    string   `json:"name"`
	Secrets []string `json:"secrets"`
}

var installNode = sync.OnceValue(func() error { return node.Install("node") })

// startNode starts the real express-session with these applications and returns its address. The
// process ends with the test.
func startNode(t *testing.T, apps ...nodeApp) string {
	t.Helper()
	if err := installNode(); err != nil {
		t.Fatal(err)
	}
	port, err := node.Start(t, "node", apps).ReadString('\n')
	if err != nil {
		t.Fatalf("node has not written its port: %v", err)
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
}

// answer is the answer of /read and /write.
type answer struct {
	ID   string         `json:"id"`
	Data map[string]any `json:"data"`
}

// visit requests a route with a cookie. It returns the answer and the value of the cookie in the
// response, if there is one. A new session gets the id.
func (s side) visit(t *testing.T, route, cookie, id string) (answer, string) {
	t.Helper()
	r, err := http.NewRequest("GET", s.base+route, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-New-ID", url.PathEscape(id))
	if cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+cookie)
	}
	body, header := roundTrip(t, r)
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%s%s answers %q: %v", s.name, route, body, err)
	}
	return a, sentCookie(header)
}

// record returns the stored text under an id.
func (s side) record(t *testing.T, id string) string {
	t.Helper()
	r, err := http.NewRequest("GET", s.base+"/records?id="+url.QueryEscape(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := roundTrip(t, r)
	return string(body)
}

// keep stores a text under an id, as another program would.
func (s side) keep(t *testing.T, id, text string) {
	t.Helper()
	r, err := http.NewRequest("PUT", s.base+"/records?id="+url.QueryEscape(id), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	roundTrip(t, r)
}

func roundTrip(t *testing.T, r *http.Request) ([]byte, http.Header) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s\n%s", r.Method, r.URL, resp.Status, body)
	}
	return body, resp.Header
}

// sentCookie returns the session cookie's value as it is in Set-Cookie.
func sentCookie(h http.Header) string {
	for _, line := range h["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, cookieName+"="); ok {
			value, _, _ := strings.Cut(rest, ";")
			return value
		}
	}
	return ""
}
