//go:build unix

package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// maxWait limits every wait for a server: its start, its end, its answers. It is many times what a
// busy machine needs.
const maxWait = 2 * time.Minute

// attempt limits one try within such a wait, so that a try whose answer was lost is repeated.
const attempt = 10 * time.Second

// plan describes how to start and end a kind of server.
type plan struct {
	name    string                                     // the name in errors: "redis"
	bus     bool                                       // Redis Cluster: port+10000 must be free too
	command func(port int) (*exec.Cmd, error)          // makes a new command for each start
	ready   func(ctx context.Context, p *process) bool // the server answers, and it is the one that was started
	orderly syscall.Signal                             // ends it with everything written
	quick   syscall.Signal                             // ends it, and leaves nothing but its folder
}

// process is a server that was started. Its exported methods are common to all kinds of servers.
// They fail the test if they do not succeed, so call them from the test's goroutine.
type process struct {
	plan
	dir  string
	port int
	t    testing.TB // nil for a server that many tests share

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// errPortTaken says that another program took the port before the server could.
var errPortTaken = errors.New("the port is taken")

// startProcess starts the server on a free port and waits until it answers.
func startProcess(t testing.TB, dir string, pl plan) (*process, error) {
	p := &process{plan: pl, dir: dir, t: t}
	for range 5 {
		port, err := takePort(pl.bus)
		if err != nil {
			return nil, err
		}
		p.port = port
		err = p.start()
		if err == nil {
			return p, nil
		}
		p.end()
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("servers: %s: other programs took each of five free ports before it could", pl.name)
}

// start starts the server on p.port and waits until it answers.
func (p *process) start() error {
	cmd, err := p.command(p.port)
	if err != nil {
		return fmt.Errorf("servers: %s: %w", p.name, err)
	}
	logFile, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("servers: %s: %w", p.name, err)
	}
	defer logFile.Close()
	before, _ := logFile.Seek(0, 2)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := launch(cmd); err != nil {
		return fmt.Errorf("servers: %s: %w", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	for {
		if p.ready(ctx, p) {
			return nil
		}
		select {
		case <-done:
			if written := p.logSince(before); bytes.Contains(written, []byte("already in use")) {
				return fmt.Errorf("servers: %s: %w", p.name, errPortTaken)
			}
			return fmt.Errorf("servers: %s ended instead of starting (%v); its log:\n%s", p.name, cmd.ProcessState, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("servers: %s did not answer within %v; its log:\n%s", p.name, maxWait, p.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Addr is where the server listens: "127.0.0.1:port".
func (p *process) Addr() string { return net.JoinHostPort("127.0.0.1", p.Port()) }

// Port returns the port of [Addr]. It stays the same after a restart.
func (p *process) Port() string { return strconv.Itoa(p.port) }

// PID returns the id of the server's process, 0 if the server does not run.
func (p *process) PID() int {
	cmd, done := p.running()
	select {
	case <-done:
		return 0
	default:
		return cmd.Process.Pid
	}
}

// Dir returns the server's folder, with its data, configuration and log.
func (p *process) Dir() string { return p.dir }

func (p *process) running() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd, p.done
}

func (p *process) logPath() string { return filepath.Join(p.dir, p.name+".log") }

// logSince returns the log from the offset on.
func (p *process) logSince(offset int64) []byte {
	all, err := os.ReadFile(p.logPath())
	if err != nil || int64(len(all)) < offset {
		return nil
	}
	return all[offset:]
}

// Log returns the end of the server's log, at most some 40 lines.
func (p *process) Log() string {
	all, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	all = bytes.TrimSpace(all)
	const most, lines = 8 << 10, 40
	if len(all) > most {
		all = all[len(all)-most:]
	}
	parts := bytes.Split(all, []byte("\n"))
	return string(bytes.Join(parts[max(0, len(parts)-lines):], []byte("\n")))
}

// attach ends the server with the test, and prints its log if the test failed.
func (p *process) attach() {
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("the end of the log of %s at %s:\n%s", p.name, p.Addr(), p.Log())
		}
		p.remove()
	})
}
