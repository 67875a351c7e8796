//go:build unix

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sentinels is the number of sentinels. Two of them must agree that the master is down.
const sentinels = 3

// SentinelOptions configure a Redis server with sentinels.
type SentinelOptions struct {
	// Replicas is the number of the master's replicas. 0: 1.
	Replicas int

	// Password is the password for clients of the master and its replicas, not of the sentinels;
	// "": none.
	Password string

	// AppendOnly is as in [RedisOptions], of each server.
	AppendOnly string

	// Extra are additional lines of the servers' redis.conf.
	Extra []string
}

// Sentinel is a Redis master with replicas and three sentinels, which make a replica the master
// some seconds after the master has stopped answering.
type Sentinel struct {
	// MasterName is the master's name, by which clients look it up at the sentinels.
	MasterName string

	// Master is the server that is the master at first.
	Master *Redis

	// Replicas are the replicas of Master at first.
	Replicas []*Redis

	// Sentinels are the sentinels' processes.
	Sentinels []*Redis
}

// StartSentinel starts a master with its replicas and sentinels for the test, and waits
// until every sentinel knows the replicas and the others.
func StartSentinel(t testing.TB, o SentinelOptions) *Sentinel {
	t.Helper()
	o.Replicas = max(o.Replicas, 1)
	redis := RedisOptions{Password: o.Password, AppendOnly: o.AppendOnly, Extra: o.Extra}
	s := &Sentinel{MasterName: "sessions", Master: StartRedis(t, redis)}
	redis.ReplicaOf = s.Master
	for range o.Replicas {
		s.Replicas = append(s.Replicas, StartRedis(t, redis))
	}
	for range sentinels {
		one, err := s.startOne(t, o.Password)
		if err != nil {
			t.Fatal(err)
		}
		one.attach()
		s.Sentinels = append(s.Sentinels, one)
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	if err := s.await(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// startOne starts a sentinel.
func (s *Sentinel) startOne(t testing.TB, password string) (*Redis, error) {
	binary, err := redisBinary("")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("sentinel")
	if err != nil {
		return nil, err
	}
	one := &Redis{}
	one.process, err = startProcess(t, dir, plan{
		name: "sentinel",
		command: func(port int) (*exec.Cmd, error) {
			conf := filepath.Join(dir, "sentinel.conf")
			if !one.configured(conf, port) { // a restart keeps what the sentinel has written there
				if err := os.WriteFile(conf, []byte(s.lines(dir, port, password)), 0o600); err != nil {
					return nil, err
				}
			}
			return exec.Command(binary, conf, "--sentinel"), nil
		},
		ready:   func(ctx context.Context, p *process) bool { return one.isReady(ctx, p, false) },
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	return one, err
}

func (s *Sentinel) lines(dir string, port int, password string) string {
	conf := []string{
		"port " + strconv.Itoa(port),
		"bind 127.0.0.1",
		"dir " + dir,
		"daemonize no",
		"sentinel monitor " + s.MasterName + " 127.0.0.1 " + s.Master.Port() + " 2",
		"sentinel down-after-milliseconds " + s.MasterName + " 3000",
		"sentinel failover-timeout " + s.MasterName + " 10000",
	}
	if password != "" {
		conf = append(conf, "sentinel auth-pass "+s.MasterName+" "+password)
	}
	return strings.Join(conf, "\n") + "\n"
}

// Addrs are the addresses of the sentinels.
func (s *Sentinel) Addrs() []string {
	var all []string
	for _, one := range s.Sentinels {
		all = append(all, one.Addr())
	}
	return all
}

// MasterAddr returns the master's address, from the first sentinel that answers.
func (s *Sentinel) MasterAddr(ctx context.Context) (string, error) {
	err := errors.New("servers: no sentinel was started")
	for _, one := range s.Sentinels {
		var answer any
		if answer, err = one.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.MasterName); err != nil {
			continue
		}
		list, _ := answer.([]any)
		if len(list) != 2 {
			return "", fmt.Errorf("servers: a sentinel names %v as the master", answer)
		}
		host, _ := list[0].(string)
		port, _ := list[1].(string)
		return net.JoinHostPort(host, port), nil
	}
	return "", err
}

// await waits until each sentinel knows all replicas and the other sentinels. Before that, none of
// them could replace the master.
func (s *Sentinel) await(ctx context.Context) error {
	for _, one := range s.Sentinels {
		for !s.knowsAll(ctx, one) {
			select {
			case <-ctx.Done():
				return errors.New("servers: the sentinels did not find each other within " + maxWait.String())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func (s *Sentinel) knowsAll(ctx context.Context, one *Redis) bool {
	answer, err := one.Do(ctx, "SENTINEL", "MASTER", s.MasterName)
	list, _ := answer.([]any)
	if err != nil {
		return false
	}
	known := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		known[name], _ = list[i+1].(string)
	}
	return known["num-slaves"] == strconv.Itoa(len(s.Replicas)) &&
		known["num-other-sentinels"] == strconv.Itoa(len(s.Sentinels)-1) &&
		known["flags"] == "master"
}
