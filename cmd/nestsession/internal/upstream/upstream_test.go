package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/upstream"
	"github.com/nestsession/session/internal/servers"
)

func init() { servers.KeepConnections() }

// serve starts a proxy in front of an application, and returns its address.
func serve(t *testing.T, change func(*upstream.Config), application http.HandlerFunc) string {
	t.Helper()
	behind := httptest.NewServer(application)
	t.Cleanup(behind.Close)
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := upstream.Config{
		URL: to, Private: []string{"sid", "__Host-sid"}, Trusted: func(*http.Request) bool { return false }, Logger: slog.New(slog.DiscardHandler),
		Refuse: func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) },
	}
	if change != nil {
		change(&cfg)
	}
	front := httptest.NewServer(upstream.New(cfg))
	t.Cleanup(front.Close)
	return front.URL
}

// serveSession starts a proxy whose requests have the context of a session, and returns what ends it.
func serveSession(t *testing.T, to *url.URL) (at string, end func()) {
	t.Helper()
	proxy := upstream.New(upstream.Config{URL: to, Trusted: func(*http.Request) bool { return false }, Logger: slog.New(slog.DiscardHandler),
		Refuse: func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) }})
	session, end := context.WithCancel(t.Context())
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(session, cancel)()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(front.Close)
	return front.URL, end
}

func TestTheApplicationNeitherGetsNorSetsTheSessionsCookie(t *testing.T) {
	t.Parallel()
	at := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "sid=planted; Path=/")
		w.Header().Add("Set-Cookie", "__Host-sid =planted; Path=/")
		w.Header().Add("Set-Cookie", "theme=dark")
		fmt.Fprint(w, r.Header["Cookie"])
	})
	for sent, want := range map[string]string{
		"sid=secret":                           "[]",
		"a=1; sid=secret; b=2":                 "[a=1; b=2]",
		"sid=secret;__Host-sid=secret;a=1":     "[a=1]",
		"a=sid=x; xsid=1; sid2=2; sid =secret": "[a=sid=x; xsid=1; sid2=2]",
	} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", at, nil)
		r.Header.Set("Cookie", sent)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(body) != want || fmt.Sprint(response.Header["Set-Cookie"]) != "[theme=dark]" {
			t.Errorf("%q reaches the application as %s; it sets %q", sent, body, response.Header["Set-Cookie"])
		}
	}
}

func TestWhatTheApplicationLearnsOfTheClient(t *testing.T) {
	t.Parallel()
	trusted := false
	at := serve(t, func(c *upstream.Config) { c.Trusted = func(*http.Request) bool { return trusted } }, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"], r.Header["X-Real-Ip"], r.Header["X-Forwarded-Prefix"], r.Header["X-Original-Url"], r.Header["X-Hop"], r.URL.RequestURI())
	})
	for range 2 {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", at+"/a%2Fb//c/../d?q=%20&r;s=%zz", nil)
		r.Host = "app.example.com"
		r.Header = http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"shop.example"}, "X-Real-Ip": {"192.0.2.8"}, "X-Forwarded-Prefix": {"/p"}, "X-Original-Url": {"/u"}, "X-Hop": {"h"}, "Connection": {"X-Hop, X-Forwarded-For"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		want := "app.example.com [127.0.0.1] [http] [app.example.com] [] [] [] []/a%2Fb//c/../d?q=%20&r;s=%zz"
		if trusted {
			want = "app.example.com [192.0.2.7, 127.0.0.1] [https] [shop.example] [192.0.2.8] [/p] [/u] []/a%2Fb//c/../d?q=%20&r;s=%zz"
		}
		if !strings.HasPrefix(string(body), want) {
			t.Errorf("trusted %v: %s", trusted, body)
		}
		trusted = true
	}
}

func TestAnApplicationThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, c := range map[string]struct {
		change      func(*upstream.Config)
		application http.HandlerFunc
		status      int // 0: the connection is cut
	}{
		"not there": {func(c *upstream.Config) { c.URL = &url.URL{Scheme: "http", Host: gone.Addr().String()} }, nil, 502},
		"hangs": {func(c *upstream.Config) { c.Timeout = 50 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // until then net/http does not see that the client is gone
			<-r.Context().Done()
		}, 504},
		"dies before it answers": {nil, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.Close()
		}, 502},
		"speaks something else": {nil, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = conn.Write([]byte("SSH-2.0-x\r\n"))
			_ = conn.Close()
		}, 502},
		"dies while it answers": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := http.Post(serve(t, c.change, c.application), "text/plain", strings.NewReader("x"))
			if err == nil {
				defer response.Body.Close()
				_, err = io.ReadAll(response.Body)
			}
			switch {
			case c.status == 0 && err == nil:
				t.Error("half a response was taken for a whole one")
			case c.status != 0 && (err != nil || response.StatusCode != c.status):
				t.Errorf("%v %v", response, err)
			}
		})
	}
}

func TestAnUploadThatStalls(t *testing.T) {
	t.Parallel()
	told := make(chan error, 1)
	at := serve(t, func(c *upstream.Config) { c.Stall = 100 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		told <- err
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc") // and nothing more
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%v %v", response, err)
	}
	if err := <-told; err == nil {
		t.Error("the application takes a part of the upload for the whole")
	}
}

// TestALongUploadIsNotCutOff sends a body for many times as long as a client may stall.
func TestALongUploadIsNotCutOff(t *testing.T) {
	t.Parallel()
	at := serve(t, func(c *upstream.Config) { c.Stall = 10 * time.Second }, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	response, err := http.Post(at, "application/octet-stream", io.LimitReader(zeros{}, 200<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "209715200 <nil>" {
		t.Errorf("%s", body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestAReaderThatStalls: a client that takes nothing of a response does not hold the application forever.
func TestAReaderThatStalls(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	at := serve(t, func(c *upstream.Config) { c.Stall = 100 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
				return
			}
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the application still writes to a client that reads nothing")
	}
}

// TestConnectionsEndWithTheirContext: streams and WebSockets, in both directions.
func TestConnectionsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	appEnded := make(chan string, 2)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, "first\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			appEnded <- "stream"
			return
		}
		conn, rw, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
		appEnded <- "upgrade"
	}))
	defer behind.Close()
	to, _ := url.Parse(behind.URL)
	at, end := serveSession(t, to)

	stream, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewReader(stream.Body)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Fatalf("%q %v: a stream is held back", line, err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	upgraded := bufio.NewReader(conn)
	if response, err := http.ReadResponse(upgraded, nil); err != nil || response.StatusCode != 101 {
		t.Fatalf("%v %v", response, err)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := upgraded.ReadString('\n'); line != "hello\n" {
		t.Fatalf("%q %v", line, err)
	}
	end()
	if _, err := lines.ReadByte(); err == nil {
		t.Error("the stream goes on")
	}
	if _, err := upgraded.ReadByte(); err == nil {
		t.Error("the WebSocket goes on")
	}
	for range 2 {
		<-appEnded
	}
}

// TestAClientThatDoesNothingIsNotWaitedFor: when the session ends, so does what its client neither
// sends nor takes, long before the client would have to go on.
func TestAClientThatDoesNothingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"takes nothing of a stream":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"takes nothing of a WebSocket": "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		"sends nothing of an upload":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var moved atomic.Int64 // bytes
			behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				to := io.Writer(w)
				switch {
				case r.Method == http.MethodPost:
					moved.Add(1)
					_, _ = io.Copy(io.Discard, r.Body)
					return
				case r.Header.Get("Upgrade") != "":
					conn, _, _ := http.NewResponseController(w).Hijack()
					defer conn.Close()
					fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
					to = conn
				}
				for {
					n, err := to.Write(make([]byte, 64<<10))
					moved.Add(int64(n))
					if err != nil {
						return
					}
				}
			}))
			t.Cleanup(behind.Close)
			to, _ := url.Parse(behind.URL)
			proxy := upstream.New(upstream.Config{URL: to, Stall: time.Hour, Trusted: func(*http.Request) bool { return false }, Logger: slog.New(slog.DiscardHandler),
				Refuse: func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) }})
			session, end := context.WithCancel(t.Context())
			returned := make(chan struct{})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(returned)
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				defer context.AfterFunc(session, cancel)()
				proxy.ServeHTTP(w, r.WithContext(ctx))
			}))
			t.Cleanup(front.Close)
			conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			fmt.Fprint(conn, request)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for before := int64(-1); moved.Load() == 0 || moved.Load() != before; <-tick.C { // until nothing moves
				before = moved.Load()
			}
			end()
			select {
			case <-returned:
			case <-time.After(time.Minute):
				t.Error("the connection goes on")
			}
		})
	}
}

// TestTheApplicationDecidesWhetherABodyIsSent: a client that asks with Expect: 100-continue sends
// nothing that the application refuses.
func TestTheApplicationDecidesWhetherABodyIsSent(t *testing.T) {
	t.Parallel()
	at := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.Header().Set("Connection", "close") // or net/http reads the body to keep the connection
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	for path, want := range map[string][]string{
		"/refused":  {"HTTP/1.1 413 Request Entity Too Large\r\n"},
		"/accepted": {"HTTP/1.1 100 Continue\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", path)
		lines := bufio.NewReader(conn)
		for _, one := range want {
			line, err := lines.ReadString('\n')
			for path == "/accepted" && line == "HTTP/1.1 100 Continue\r\n" && line != one { // a client accepts any number of them
				_, _ = lines.ReadString('\n')
				line, err = lines.ReadString('\n')
			}
			if line != one {
				t.Fatalf("%s: %q (%v), want %q", path, line, err, one)
			}
			if strings.Contains(line, "100") {
				fmt.Fprint(conn, "hello")
			}
		}
	}
}

// TestTrailersArrive sends them as gRPC does.
func TestTrailersArrive(t *testing.T) {
	t.Parallel()
	at := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-More", "43")
	})
	response, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "body" || response.Trailer.Get("X-Sum") != "42" || response.Trailer.Get("X-More") != "43" {
		t.Errorf("%q with %v (%v)", body, response.Trailer, err)
	}
}

// TestNothingIsLeftBehind is not parallel, because it counts goroutines.
func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	hung := make(chan struct{}, 1)
	t.Run("requests", func(t *testing.T) {
		at := serve(t, func(c *upstream.Config) { c.Timeout = time.Hour }, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/dies":
				panic(http.ErrAbortHandler)
			case "/hangs":
				hung <- struct{}{}
				<-r.Context().Done()
			default:
				conn, _, _ := http.NewResponseController(w).Hijack()
				defer conn.Close()
				fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
				_, _ = io.Copy(io.Discard, conn)
			}
		})
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for range 20 {
			if response, err := client.Get(at + "/dies"); err == nil {
				_ = response.Body.Close()
			}
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-hung; leave() }()
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, at+"/hangs", nil)
			if response, err := client.Do(r); err == nil {
				_ = response.Body.Close()
				t.Error("an application that hangs has answered")
			}
			leave()
			conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Error(err)
			}
			_ = conn.Close() // in the middle
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); runtime.NumGoroutine() > before; <-tick.C {
		// The transport's own connections close when they have been idle for 30 seconds.
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%d goroutines, and %d before", runtime.NumGoroutine(), before)
		}
	}
}
