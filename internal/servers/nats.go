//go:build unix

package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// NATSOptions configure NATS servers with JetStream.
type NATSOptions struct {
	// Command makes the command of a server that reads the configuration file. Nil: the program
	// $NESTSESSION_NATS_SERVER, or nats-server.
	Command func(conf string) *exec.Cmd

	// Password is the password of the user "nest" for clients and for the other servers.
	Password string

	// SyncAlways writes to the disk before it answers.
	SyncAlways bool

	// Extra are additional lines of the configuration.
	Extra []string
}

// NATS is a running NATS server.
type NATS struct {
	*process
	password string
}

// StartNATSCluster starts servers that form a cluster, for the test. It returns when each accepts
// connections; their leader is elected some seconds later.
func StartNATSCluster(t testing.TB, n int, o NATSOptions) []*NATS {
	t.Helper()
	var routes []int
	for range n {
		port, err := takePort(false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { givePort(port) })
		routes = append(routes, port)
	}
	var all []*NATS
	for i := range n {
		s, err := startNATS(t, i, routes, o)
		if err != nil {
			t.Fatal(err)
		}
		s.attach()
		all = append(all, s)
	}
	return all
}

func startNATS(t testing.TB, i int, routes []int, o NATSOptions) (*NATS, error) {
	command := o.Command
	if command == nil {
		name := os.Getenv("NESTSESSION_NATS_SERVER")
		if name == "" {
			name = "nats-server"
		}
		binary, err := findProgram(name, "nats-server")
		if err != nil {
			return nil, err
		}
		command = func(conf string) *exec.Cmd { return exec.Command(binary, "-c", conf) }
	}
	dir, err := newFolder("nats")
	if err != nil {
		return nil, err
	}
	s := &NATS{password: o.Password}
	s.process, err = startProcess(t, dir, plan{
		name: "nats",
		command: func(port int) (*exec.Cmd, error) {
			conf := filepath.Join(dir, "nats.conf")
			return command(conf), os.WriteFile(conf, []byte(o.lines(dir, i, port, routes)), 0o600)
		},
		ready:   isNATS,
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	return s, err
}

// lines returns the configuration.
func (o NATSOptions) lines(dir string, i, port int, routes []int) string {
	conf := []string{
		fmt.Sprintf("server_name: node%d", i),
		"host: 127.0.0.1",
		"port: " + strconv.Itoa(port),
		"max_payload: 8MB",
		"jetstream {",
		"  store_dir: " + strconv.Quote(filepath.Join(dir, "data")),
		"  max_memory_store: 256MB",
		"  max_file_store: 4GB",
	}
	if o.SyncAlways {
		conf = append(conf, "  sync_interval: always")
	}
	conf = append(conf, "}")
	if o.Password != "" {
		conf = append(conf, fmt.Sprintf("authorization { user: nest, password: %q }", o.Password))
	}
	if len(routes) > 1 {
		conf = append(conf, "cluster {", "  name: nest", "  no_advertise: true", "  listen: 127.0.0.1:"+strconv.Itoa(routes[i]), "  routes: [")
		for _, route := range routes {
			conf = append(conf, fmt.Sprintf("    nats-route://127.0.0.1:%d", route))
		}
		conf = append(conf, "  ]", "}")
	}
	return strings.Join(append(conf, o.Extra...), "\n") + "\n"
}

// isNATS reports whether a server greets its clients.
func isNATS(ctx context.Context, p *process) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.Addr())
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "INFO ")
}

// URL is the server's address for a client, with its password.
func (s *NATS) URL() string { return s.URLAt(s.Addr()) }

// URLAt is that of a relay or proxy in front of the server.
func (s *NATS) URLAt(addr string) string {
	if s.password == "" {
		return "nats://" + addr
	}
	u := url.URL{Scheme: "nats", User: url.UserPassword("nest", s.password), Host: addr}
	return u.String()
}

// Empty removes the data of a server that has ended, as if its disk were replaced.
func (s *NATS) Empty() {
	s.mine("Empty")
	if s.PID() != 0 {
		s.t.Fatal("servers: nats: Empty of a server that runs")
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "data")); err != nil {
		s.t.Fatal(err)
	}
}

// Password returns the password of the user "nest"; "": none.
func (s *NATS) Password() string { return s.password }
