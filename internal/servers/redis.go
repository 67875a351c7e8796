//go:build unix

package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// RedisOptions configure a Redis server. The zero value is a server without a password that keeps
// everything only in memory.
type RedisOptions struct {
	// Password is the password for clients; a replica sends it to its master. "": none.
	Password string

	// AppendOnly says when commands are written to the append-only file: "always" (before they are
	// answered), "everysec", or "no" (when the operating system writes them). "": there is no such
	// file.
	AppendOnly string

	// ReplicaOf is the master of this server. The start waits until the first copy is complete.
	ReplicaOf *Redis

	// Extra are additional lines of redis.conf ("min-replicas-to-write 1").
	Extra []string

	// Binary is the server's program; "": $NESTSESSION_REDIS_SERVER, or redis-server. Redis 6.2 or
	// later and Valkey work.
	Binary string

	cluster bool
}

// Redis is a running Redis server.
type Redis struct {
	*process
	password string
	copied   bool // a replica has had its first copy: its master may be down during a restart
}

// StartRedis starts a Redis server for the test.
func StartRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	r, err := startRedis(t, o)
	if err != nil {
		t.Fatal(err)
	}
	r.attach()
	return r
}

func startRedis(t testing.TB, o RedisOptions) (*Redis, error) {
	binary, err := redisBinary(o.Binary)
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("redis")
	if err != nil {
		return nil, err
	}
	r := &Redis{password: o.Password}
	r.process, err = startProcess(t, dir, plan{
		name: "redis",
		bus:  o.cluster,
		command: func(port int) (*exec.Cmd, error) {
			conf := filepath.Join(dir, "redis.conf")
			// A sentinel rewrites the file of its servers; a restart must not undo that.
			if _, err := os.Stat(conf); err != nil || !r.configured(conf, port) {
				if err := os.WriteFile(conf, []byte(o.lines(dir, port)), 0o600); err != nil {
					return nil, err
				}
			}
			return exec.Command(binary, conf), nil
		},
		ready:   func(ctx context.Context, p *process) bool { return r.isReady(ctx, p, o.ReplicaOf != nil && !r.copied) },
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	r.copied = true
	return r, err
}

func redisBinary(name string) (string, error) {
	if name == "" {
		name = os.Getenv("NESTSESSION_REDIS_SERVER")
	}
	if name == "" {
		name = "redis-server"
	}
	return findProgram(name, "redis-server")
}

// lines returns the lines of the server's redis.conf.
func (o RedisOptions) lines(dir string, port int) string {
	conf := []string{
		"port " + strconv.Itoa(port),
		"bind 127.0.0.1",
		"dir " + dir,
		"daemonize no",
		`save ""`,
		"databases 16",
		"repl-diskless-sync-delay 0",
	}
	if o.AppendOnly == "" {
		conf = append(conf, "appendonly no")
	} else {
		conf = append(conf, "appendonly yes", "appendfsync "+o.AppendOnly)
	}
	if o.Password != "" {
		conf = append(conf, "requirepass "+o.Password, "masterauth "+o.Password)
	}
	if o.ReplicaOf != nil {
		conf = append(conf, "replicaof 127.0.0.1 "+o.ReplicaOf.Port())
	}
	if o.cluster {
		conf = append(conf, "cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 5000")
	}
	return strings.Join(append(conf, o.Extra...), "\n") + "\n"
}

// configured reports whether the file was written for the port.
func (r *Redis) configured(conf string, port int) bool {
	text, err := os.ReadFile(conf)
	return err == nil && strings.HasPrefix(string(text), "port "+strconv.Itoa(port)+"\n")
}

// isReady reports whether the server answers, is the process that was started, and has its master's
// data if it is a replica.
func (r *Redis) isReady(ctx context.Context, p *process, replica bool) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	info, err := p.info(ctx, r.password)
	if err != nil || info["process_id"] != strconv.Itoa(p.PID()) || info["loading"] == "1" {
		return false
	}
	return !replica || info["role"] != "slave" || info["master_link_status"] == "up"
}

// Password returns the server's password; "": none.
func (r *Redis) Password() string { return r.password }

// Do sends one command over a new connection and returns the answer: a string, an int64, nil or a
// slice of these.
func (r *Redis) Do(ctx context.Context, command ...string) (any, error) {
	return r.do(ctx, r.password, command)
}

// Info returns the lines of INFO by their names ("role", "connected_slaves", …).
func (r *Redis) Info(ctx context.Context) (map[string]string, error) {
	return r.info(ctx, r.password)
}

func (p *process) do(ctx context.Context, password string, command []string) (any, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxWait)
		defer cancel()
	}
	if password == "" {
		return exchange(ctx, p.Addr(), command)
	}
	return exchange(ctx, p.Addr(), []string{"AUTH", password}, command)
}

func (p *process) info(ctx context.Context, password string) (map[string]string, error) {
	answer, err := p.do(ctx, password, []string{"INFO"})
	if err != nil {
		return nil, err
	}
	text, ok := answer.(string)
	if !ok {
		return nil, fmt.Errorf("servers: INFO answered %T", answer)
	}
	return fields(text), nil
}

// fields reads lines of the form name:value.
func fields(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}
