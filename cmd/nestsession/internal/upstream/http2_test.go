package upstream_test

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/upstream"
)

// startHTTP2 starts an application with TLS and HTTP/2, whose certificate this process trusts, as an
// operator has it trusted: by SSL_CERT_FILE.
func startHTTP2(t *testing.T, application http.Handler) *url.URL {
	t.Helper()
	behind := httptest.NewUnstartedServer(application)
	behind.EnableHTTP2 = true
	behind.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	behind.StartTLS()
	t.Cleanup(behind.Close)
	trust.Do(func() {
		folder, err := os.MkdirTemp("", "certificate")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		file := filepath.Join(folder, "application.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: behind.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		// Go reads the file once, at the first connection with TLS.
		if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
			t.Fatal(err)
		}
		response, err := new(http.Client).Get(behind.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	})
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

var trust sync.Once // each httptest.Server has the same certificate

// TestAnApplicationThatSpeaksHTTP2: what one behind HTTP/1.1 can rely on holds for it, too.
func TestAnApplicationThatSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	appEnded := make(chan error, 1)
	to := startHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w).Flush
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("X-Protocol", r.Proto)
			w.Header().Set("X-Cookies", strings.Join(r.Header["Cookie"], "; "))
			w.Header().Add("Set-Cookie", "sid=planted")
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("X-Sum", "42")
		case "/stream":
			fmt.Fprint(w, "first\n")
			_ = flush()
			<-r.Context().Done()
			appEnded <- r.Context().Err()
		case "/upload":
			_, err := io.Copy(io.Discard, r.Body)
			appEnded <- err
		case "/refused":
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case "/socket":
			w.Header().Set("X-Protocol", r.Proto)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				w.WriteHeader(http.StatusUpgradeRequired)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
			_, _ = io.Copy(conn, conn)
		case "/dies":
			panic(http.ErrAbortHandler)
		case "/dies-late":
			fmt.Fprint(w, "half")
			_ = flush()
			panic(http.ErrAbortHandler)
		case "/hangs":
			<-r.Context().Done()
			appEnded <- r.Context().Err()
		}
	}))
	here := func(change func(*upstream.Config)) string {
		return serve(t, func(c *upstream.Config) {
			c.URL = to
			if change != nil {
				change(c)
			}
		}, nil)
	}
	at := here(nil)
	send := func(at, path, body string, fields ...string) (*http.Response, string, error) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, at+path, strings.NewReader(body))
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, "", err
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		return response, string(got), err
	}

	response, body, err := send(at, "/echo", "hello", "Cookie", "a=1; sid=secret; b=2")
	if err != nil || body != "hello" || response.Header.Get("X-Protocol") != "HTTP/2.0" || response.Trailer.Get("X-Sum") != "42" {
		t.Fatalf("%v %q: %v", response, body, err)
	}
	if response.Header.Get("X-Cookies") != "a=1; b=2" || response.Header.Get("Set-Cookie") != "" {
		t.Errorf("the application gets the cookies %q, and sets %q", response.Header.Get("X-Cookies"), response.Header.Get("Set-Cookie"))
	}
	if response, _, err := send(at, "/refused", strings.Repeat("x", 1<<20), "Expect", "100-continue"); err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("an upload that is refused: %v %v", response, err)
	}
	if response, _, err := send(at, "/dies", ""); err != nil || response.StatusCode != http.StatusBadGateway {
		t.Errorf("an application that dies: %v %v", response, err)
	}
	if _, body, err := send(at, "/dies-late", ""); err == nil {
		t.Errorf("half a response was taken for a whole one: %q", body)
	}
	hurried := here(func(c *upstream.Config) { c.Timeout = 50 * time.Millisecond })
	if response, _, err := send(hurried, "/hangs", ""); err != nil || response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("an application that hangs: %v %v", response, err)
	}
	<-appEnded

	conn, err := net.Dial("tcp", strings.TrimPrefix(here(func(c *upstream.Config) { c.Stall = 100 * time.Millisecond }), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc") // and nothing more
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("an upload that stalls: %v %v", response, err)
	}
	if err := <-appEnded; err == nil {
		t.Error("the application takes a part of the upload for the whole")
	}

	inSession, end := serveSession(t, to)
	stream, err := http.Get(inSession + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewReader(stream.Body)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Fatalf("%q %v: a stream is held back", line, err)
	}
	// An application takes WebSockets over HTTP/1.1, beside HTTP/2.
	socket, err := net.Dial("tcp", strings.TrimPrefix(inSession, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	fmt.Fprint(socket, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	upgraded := bufio.NewReader(socket)
	if response, err := http.ReadResponse(upgraded, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("a WebSocket: %v %v", response, err)
	}
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
	if err := <-appEnded; err == nil {
		t.Error("the application's stream goes on")
	}
}
