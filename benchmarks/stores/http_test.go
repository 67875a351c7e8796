package stores

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

// layouts are the databases as the npm packages keep sessions in them.
var layouts = []struct {
	kind string
	open func(testing.TB) settings
}{
	{"connect-redis", func(tb testing.TB) settings {
		server := servers.StartRedis(tb, servers.RedisOptions{})
		return settings{URL: "redis://" + server.Addr(), DSN: server.Addr(), server: server.PID()}
	}},
	{"connect-pg-simple", func(tb testing.TB) settings {
		server := servers.SharedPostgres(tb)
		dsn := server.NewDatabase(tb)
		return settings{URL: dsn, DSN: dsn, server: server.PID()}
	}},
	{"better-sqlite3-session-store", func(tb testing.TB) settings {
		file := filepath.Join(tb.TempDir(), "sessions.db")
		return settings{File: file, DSN: sqliteDSN(file)}
	}},
	{"express-mysql-session", func(tb testing.TB) settings {
		server := servers.SharedMariaDB(tb)
		dsn := server.NewDatabase(tb)
		_, name, _ := strings.Cut(dsn, "/")
		name, _, _ = strings.Cut(name, "?")
		return settings{URL: server.URL(name), DSN: dsn, server: server.PID()}
	}},
}

// TestLongExpress compares this library with express-session and @fastify/session, each a process
// that serves HTTP, on one table in turns; with -slice it prints the table.
func TestLongExpress(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.kind, func(t *testing.T) {
			s := l.open(t)
			s.Kind, s.Secret, s.Connections = l.kind, "a secret of thirty-two bytes, ok", connections
			node := func(name, file string, s settings) contender {
				c := exec.Command("node", filepath.Join("node", file), s.text(t))
				c.Env = append(os.Environ(), "NODE_ENV=production")
				return startServer(t, name, c, s.server)
			}
			// Node makes the table, as its package has it.
			express := node("express-session", "server.js", s)
			own := exec.Command(os.Args[0])
			own.Env = append(os.Environ(), childVariable+"="+s.text(t))
			all := []contender{startServer(t, "nest", own, s.server), express}
			for _, s.Rolling = range []bool{true, false} {
				all = append(all, node(fmt.Sprintf("@fastify/session, rolling: %v", s.Rolling), "fastify.js", s))
			}
			table(t, l.kind, all)
		})
	}
}

func (s settings) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startServer starts the process and is a contender that asks it, over connections
// that are kept.
func startServer(t *testing.T, name string, command *exec.Cmd, database int) contender {
	t.Helper()
	var trouble bytes.Buffer
	command.Stderr = &trouble
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends by itself then
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		in.Close()
		_ = command.Wait()
		t.Fatalf("%s did not start (are the packages of tests/live/node installed? make setup does it): %v\n%s", name, err, trouble.String())
	}
	addr := strings.TrimSpace(line)
	checkServer(t, name, addr)
	conns := make([]*conn, maxCallers)
	for i := range conns {
		conns[i] = dial(t, addr)
	}
	requests := map[work][][]byte{}
	for range *visitors {
		cookie := login(t, addr)
		for _, what := range []work{reading, writing} {
			requests[what] = append(requests[what], fmt.Appendf(nil, "GET /%s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", what, addr, cookie))
		}
	}
	return contender{
		name: name,
		serve: func(what work, caller, visitor int) error {
			return conns[caller].ask(requests[what][visitor])
		},
		uses: processes{pids: []int{command.Process.Pid, database}},
	}
}

// login returns the session's cookie.
func login(t *testing.T, addr string) string {
	t.Helper()
	r, err := http.Get("http://" + addr + "/login")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	cookies := r.Cookies()
	if r.StatusCode != http.StatusNoContent || len(cookies) != 1 {
		text, _ := io.ReadAll(r.Body)
		t.Fatalf("login: status %d, %d cookies: %s", r.StatusCode, len(cookies), text)
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// checkServer holds a server to doing what it is timed for: a session that is logged in is read,
// each write is kept, a session is apart from others, and a changed cookie is none.
func checkServer(t *testing.T, name, addr string) {
	t.Helper()
	ask := func(cookie, path string) (int, string) {
		r, err := http.NewRequest("GET", "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.StatusCode, string(text)
	}
	want := func(cookie, path string, status int, text string) {
		t.Helper()
		if gotStatus, got := ask(cookie, path); gotStatus != status || got != text {
			t.Fatalf("%s: %s was answered %d %q, want %d %q", name, path, gotStatus, got, status, text)
		}
	}
	cookie, other := login(t, addr), login(t, addr)
	want(cookie, "/read", http.StatusNoContent, "")
	want(cookie, "/visits", http.StatusOK, "41")
	for range 3 {
		want(cookie, "/write", http.StatusNoContent, "")
	}
	want(cookie, "/visits", http.StatusOK, "44")
	want(cookie, "/read", http.StatusNoContent, "")
	want(other, "/visits", http.StatusOK, "41")
	forged := []byte(cookie)
	at := bytes.IndexByte(forged, '=') + len("=s%3A") + 3 // in the id, which is signed
	forged[at] ^= 1
	want(string(forged), "/read", http.StatusUnauthorized, "")
	want("", "/read", http.StatusUnauthorized, "")
}

// conn is a connection of the load generator, which does no more than it has to: it
// takes a core that the servers could use.
type conn struct {
	net net.Conn
	in  *bufio.Reader
}

func dial(t *testing.T, addr string) *conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &conn{c, bufio.NewReader(c)}
}

var noContent = []byte("HTTP/1.1 204 ")

// ask sends a request and reads the head of the answer, which has no body.
func (c *conn) ask(request []byte) error {
	if _, err := c.net.Write(request); err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, noContent) {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 2 {
			return nil
		}
	}
}
