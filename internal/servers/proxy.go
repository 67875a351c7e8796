//go:build unix

package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Proxy is a running reverse proxy.
type Proxy struct{ *process }

// ProxyKind is a program that is a reverse proxy.
type ProxyKind string

// The kinds.
const (
	Nginx   ProxyKind = "nginx"
	Caddy   ProxyKind = "caddy"
	HAProxy ProxyKind = "haproxy"
	Traefik ProxyKind = "traefik" // no Debian package has it
)

// StartProxy starts a proxy for the test. files are its configuration by name; the kind's own is nginx.conf,
// Caddyfile, haproxy.cfg or traefik.yml. They listen on port 80, which is replaced by a free one of the loopback
// interface.
func StartProxy(t testing.TB, kind ProxyKind, files map[string]string) *Proxy {
	t.Helper()
	program, err := findProgram(string(kind), string(kind), "/usr/sbin")
	if err != nil {
		t.Fatal(err)
	}
	return StartProxyAt(t, program, kind, files)
}

// StartProxyAt is StartProxy with the program at the given path.
func StartProxyAt(t testing.TB, program string, kind ProxyKind, files map[string]string) *Proxy {
	t.Helper()
	p, err := startProxy(t, program, kind, files)
	if err != nil {
		t.Fatal(err)
	}
	p.attach()
	return p
}

func startProxy(t testing.TB, program string, kind ProxyKind, files map[string]string) (*Proxy, error) {
	dir, err := newFolder(string(kind))
	if err != nil {
		return nil, err
	}
	p := &Proxy{}
	p.process, err = startProcess(t, dir, plan{
		name: string(kind),
		command: func(port int) (*exec.Cmd, error) {
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(kind.at(text, port)), 0o600); err != nil {
					return nil, err
				}
			}
			cmd := exec.Command(program, kind.arguments(dir)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			return cmd, nil
		},
		ready: func(ctx context.Context, p *process) bool {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Addr())
			return err == nil && conn.Close() == nil
		},
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGTERM, // a SIGKILL would leave the workers
	})
	return p, err
}

// at makes a configuration listen on another port than 80.
func (kind ProxyKind) at(text string, port int) string {
	at := "127.0.0.1:" + strconv.Itoa(port)
	switch kind {
	case Nginx:
		return strings.ReplaceAll(text, "listen 80", "listen "+at)
	case HAProxy:
		return strings.ReplaceAll(text, "bind :80", "bind "+at)
	case Traefik:
		return strings.ReplaceAll(text, `address: ":80"`, fmt.Sprintf("address: %q", at))
	}
	return fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n\thttp_port %d\n}\n", port) + text
}

func (kind ProxyKind) arguments(dir string) []string {
	switch kind {
	case Nginx:
		return []string{"-p", dir, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off; pid " + filepath.Join(dir, "nginx.pid") + ";"}
	case HAProxy:
		return []string{"-db", "-f", "haproxy.cfg"}
	case Traefik:
		return []string{"--configFile=traefik.yml"}
	}
	return []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}
}
