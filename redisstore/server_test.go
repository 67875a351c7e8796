package redisstore

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// server is a Redis for the tests that look inside the package. The others are in
// tests/redisstore. internal/servers is not imported here, since `go mod tidy` would
// then download it for everyone who imports this package.
type server struct {
	address string
	kill    func()
}

func (s *server) Addr() string { return s.address }

// Kill ends the server at once.
func (s *server) Kill() { s.kill() }

// startRedis starts a server that ends with the test, or with the process.
func startRedis(t testing.TB) *server {
	t.Helper()
	var err error
	for range 10 { // another process may take the port first
		var s *server
		if s, err = tryRedis(t); err == nil {
			t.Cleanup(s.kill)
			return s
		}
	}
	t.Fatalf("redis-server: %v", err)
	return nil
}

func tryRedis(t testing.TB) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	// The shell kills the server when its input ends, which it also does when this
	// process is killed.
	c := exec.Command("sh", "-c", `"$@" & read -r _; kill -9 $!; wait`, "sh",
		path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	drained := make(chan struct{})
	kill := sync.OnceFunc(func() {
		in.Close()
		<-drained
		_ = c.Wait()
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		ready := strings.Contains(line, "Ready to accept connections")
		if err == nil && !ready && !strings.Contains(line, "Failed listening") {
			continue
		}
		go func() {
			_, _ = io.Copy(io.Discard, lines)
			close(drained)
		}()
		if ready {
			return &server{address, kill}, nil
		}
		kill()
		return nil, errors.Join(errors.New(strings.TrimSpace(line)), err)
	}
}
