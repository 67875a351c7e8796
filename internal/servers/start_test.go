//go:build unix

package servers

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMissingProgramSaysWhatToInstall: if a server's program is missing, the error says what to
// install.
func TestMissingProgramSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	_, err := startRedis(t, RedisOptions{Binary: "no-such-server"})
	if err == nil || !strings.Contains(err.Error(), "no-such-server is not installed") ||
		!strings.Contains(err.Error(), "make setup") || !strings.Contains(err.Error(), "redis-server") {
		t.Errorf("%v", err)
	}
}

// TestWrongSettingShowsTheLog: the error has the server's own message, not only that it did not
// answer.
func TestWrongSettingShowsTheLog(t *testing.T) {
	t.Parallel()
	_, err := startRedis(t, RedisOptions{Extra: []string{"no-such-setting 1"}})
	if err == nil || !strings.Contains(err.Error(), "ended instead of starting") || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("%v", err)
	}
}

// TestTakenPortIsLeft: if another program takes the port first, the next port is tried.
func TestTakenPortIsLeft(t *testing.T) {
	t.Parallel()
	binary, err := redisBinary("")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := newFolder("taken")
	if err != nil {
		t.Fatal(err)
	}
	var tried []int
	r := &Redis{}
	r.process, err = startProcess(t, dir, plan{
		name: "redis",
		command: func(port int) (*exec.Cmd, error) {
			if tried = append(tried, port); len(tried) == 1 {
				l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				if err != nil {
					return nil, err
				}
				t.Cleanup(func() { l.Close() })
			}
			return exec.Command(binary, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir), nil
		},
		ready:   func(ctx context.Context, p *process) bool { return r.isReady(ctx, p, false) },
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.attach()
	if len(tried) != 2 || tried[0] == tried[1] || r.Port() != strconv.Itoa(tried[1]) {
		t.Errorf("tried %v, runs at %s", tried, r.Port())
	}
}

// TestPortsAreNotGivenTwice: a server keeps its port while it is down.
func TestPortsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 200 {
		port, err := takePort(true)
		if err != nil {
			t.Fatal(err)
		}
		defer givePort(port)
		if seen[port] || port < firstPort || port > lastPort {
			t.Errorf("port %d, seen before: %v", port, seen[port])
		}
		seen[port] = true
	}
}

// TestAnotherServerIsNotMistaken: another server that listens on the port is not taken for the
// started one.
func TestAnotherServerIsNotMistaken(t *testing.T) {
	t.Parallel()
	other := StartRedis(t, RedisOptions{})
	impostor := &process{port: other.port, cmd: exec.Command("sleep", "60"), done: make(chan struct{})}
	if err := impostor.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = impostor.cmd.Process.Kill(); _ = impostor.cmd.Wait() })
	if other.isReady(t.Context(), impostor, false) {
		t.Error("a server with another process id was found ready")
	}
}
