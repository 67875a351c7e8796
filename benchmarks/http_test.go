//go:build unix

package benchmarks

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	fibersession "github.com/gofiber/fiber/v3/middleware/session"
)

// site is a contender behind a real server, with the routes /login, /read and /write.
type site struct {
	name string
	addr string
}

// sites starts a server for each contender, and one of fiber, whose sessions need its own.
func sites(tb testing.TB) []site {
	tb.Helper()
	all := []site{serveSite(tb, contender{name: "bare", login: bare, read: bare, write: bare})}
	for _, c := range contenders(tb) {
		all = append(all, serveSite(tb, c))
	}
	return append(all, fiberSite(tb))
}

func serveSite(tb testing.TB, c contender) site {
	tb.Helper()
	mux := http.NewServeMux()
	for path, h := range map[string]http.Handler{"/login": c.login, "/read": c.read, "/write": c.write} {
		// The handlers are the same as in process, where the path is "/", to which gin routes.
		mux.Handle(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/"
			h.ServeHTTP(w, r)
		}))
	}
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return site{c.name, server.Listener.Addr().String()}
}

// fiberSite is fiber's session middleware with its store in memory, on fiber's server.
func fiberSite(tb testing.TB) site {
	tb.Helper()
	sessions, store := fibersession.NewWithStore(fibersession.Config{IdleTimeout: week * time.Second})
	store.RegisterType(&Account{})
	app := fiber.New()
	app.Use(sessions)
	app.Get("/login", func(c fiber.Ctx) error {
		s, account := fibersession.FromContext(c), newAccount()
		if err := s.Regenerate(); err != nil {
			return err
		}
		s.Set("account", &account)
		return c.SendStatus(http.StatusNoContent)
	})
	account := func(c fiber.Ctx) (*Account, error) {
		a, ok := fibersession.FromContext(c).Get("account").(*Account)
		if !ok || a.User.ID != 482_113 {
			return nil, fiber.ErrUnauthorized
		}
		return a, nil
	}
	app.Get("/read", func(c fiber.Ctx) error {
		if _, err := account(c); err != nil {
			return err
		}
		return c.SendStatus(http.StatusNoContent)
	})
	app.Get("/write", func(c fiber.Ctx) error {
		a, err := account(c)
		if err != nil {
			return err
		}
		a.Visits++
		fibersession.FromContext(c).Set("account", a)
		return c.SendStatus(http.StatusNoContent)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
	tb.Cleanup(func() {
		if err := app.Shutdown(); err != nil {
			tb.Error(err)
		}
		<-served
	})
	return site{"fiber/memory", l.Addr().String()}
}

// connection sends requests one after the other, and reads only the heads of the responses: the client
// is the same for all sites, and costs little beside them.
type connection struct {
	net.Conn
	in *bufio.Reader
}

func (s site) connect(tb testing.TB) connection {
	tb.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return connection{c, bufio.NewReader(c)}
}

var noContent = []byte("HTTP/1.1 204 ")

// do sends a request, and fails unless the answer is 204.
func (c connection) do(tb testing.TB, request []byte) {
	if _, err := c.Write(request); err != nil {
		tb.Fatal(err)
	}
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if first && !bytes.HasPrefix(line, noContent) {
			tb.Fatalf("answered %q to %q", line, request)
		}
		if len(line) == 2 {
			return
		}
	}
}

// requests logs users in, and returns their requests for a path.
func (s site) requests(tb testing.TB, path string, n int) [][]byte {
	tb.Helper()
	var all [][]byte
	for range n {
		w, err := http.Get("http://" + s.addr + "/login")
		if err != nil {
			tb.Fatal(err)
		}
		w.Body.Close()
		field := ""
		if token := w.Header.Get("Authorization"); token != "" {
			field = "Authorization: " + token + "\r\n"
		} else if cookies := w.Cookies(); len(cookies) > 0 {
			field = "Cookie: " + cookies[0].Name + "=" + cookies[0].Value + "\r\n"
		} else if s.name != "bare" {
			tb.Fatalf("%s: the login has sent no cookie", s.name)
		}
		all = append(all, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, s.addr, field))
	}
	return all
}

// BenchmarkHTTPRead and BenchmarkHTTPWrite are requests over a loopback connection that is kept. The
// CPU time is that of server and client.
func BenchmarkHTTPRead(b *testing.B) { overHTTP(b, "/read") }

func BenchmarkHTTPWrite(b *testing.B) { overHTTP(b, "/write") }

func overHTTP(b *testing.B, path string) {
	for _, sessions := range []int{1, 1024} {
		for _, s := range sites(b) {
			b.Run(fmt.Sprintf("%s/%d", s.name, sessions), func(b *testing.B) {
				all := s.requests(b, path, sessions)
				c := s.connect(b)
				runtime.GC() // of the logins
				before := cpuTime(b)
				n := 0
				for b.Loop() {
					c.do(b, all[rand.IntN(len(all))])
					n++
				}
				b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/op")
			})
		}
	}
}

// TestHTTP holds the sites to doing what they are timed for.
func TestHTTP(t *testing.T) {
	t.Parallel()
	for _, s := range sites(t) {
		c := s.connect(t)
		for _, path := range []string{"/read", "/write", "/read"} {
			for _, request := range s.requests(t, path, 2) {
				c.do(t, request)
			}
		}
	}
}
