package redisstore_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// everyCall are calls of all of a store's methods, on a session that there is.
func everyCall(s *redisstore.Store, r store.Record) map[string]func(context.Context) error {
	list := func(owner string) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			for _, err = range s.List(ctx, owner) {
			}
			return err
		}
	}
	return map[string]func(context.Context) error{
		"Load": func(ctx context.Context) error { _, err := s.Load(ctx, r.ID); return err },
		"Create": func(ctx context.Context) error {
			_, err := s.Create(ctx, owned("new", "user:1", in(time.Hour)))
			return err
		},
		"Update":           func(ctx context.Context) error { _, err := s.Update(ctx, r); return err },
		"Touch":            func(ctx context.Context) error { return s.Touch(ctx, r.ID, in(time.Hour)) },
		"Delete":           func(ctx context.Context) error { return s.Delete(ctx, r.ID) },
		"List":             list(""),
		"List of an owner": list("user:1"),
		"Ping":             s.Ping,
	}
}

// A server that refuses connections is an error at once, not at the caller's deadline;
// and as soon as it is back it is used again.
func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		for kind, makes := range map[string]func(*testing.T, *servers.Redis, redisstore.Config) *redisstore.Store{
			"new": func(t *testing.T, r *servers.Redis, c redisstore.Config) *redisstore.Store {
				c.Client = connect(t, single(r))
				return newStore(t, c)
			},
			"opened": func(t *testing.T, r *servers.Redis, c redisstore.Config) *redisstore.Store {
				return open(t, single(r), c)
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				server := servers.StartRedis(t, servers.RedisOptions{AppendOnly: "always"})
				s := makes(t, server, c)
				r := mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
				server.Kill()
				const maxWait = time.Minute
				for method, call := range everyCall(s, r) {
					ctx, cancel := context.WithTimeout(t.Context(), maxWait)
					began := time.Now()
					err := call(ctx)
					if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrNotFound) || time.Since(began) > maxWait/12 {
						t.Errorf("%s answers %v after %v; want an error at once", method, err, time.Since(began))
					}
					cancel()
				}
				server.Restart()
				if _, err := s.Load(t.Context(), "id"); err != nil {
					t.Errorf("Load once the server is back: %v", err)
				}
				if _, err := s.Update(t.Context(), r); err != nil {
					t.Errorf("Update once the server is back: %v", err)
				}
			})
		}
	}
}

// So is a Cluster whose nodes are down.
func TestClusterRefusedAtOnce(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t, servers.ClusterOptions{})
	s := newStore(t, redisstore.Config{Client: connect(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})})
	r := mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
	for _, n := range cluster.Nodes {
		n.Kill()
	}
	const maxWait = time.Minute
	for method, call := range everyCall(s, r) {
		ctx, cancel := context.WithTimeout(t.Context(), maxWait)
		began := time.Now()
		err := call(ctx)
		if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrNotFound) || time.Since(began) > maxWait/4 {
			t.Errorf("%s answers %v after %v; want an error at once", method, err, time.Since(began))
		}
		cancel()
	}
}

// A server that is silent is waited for as long as the caller wants.
func TestSilentUntilTheDeadline(t *testing.T) {
	t.Parallel()
	g := relay.New(t, servers.SharedRedis(t).Addr())
	o := single(servers.SharedRedis(t))
	o.InitAddress = []string{g.Addr()}
	s := newStore(t, redisstore.Config{Client: connect(t, o), Prefix: newPrefix()})
	r := mustCreate(t, s, owned("id", "user:1", in(time.Hour)))
	g.Silence(true)
	for method, call := range everyCall(s, r) {
		const maxWait = 200 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), maxWait)
		began := time.Now()
		err := call(ctx)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < maxWait*9/10 || took > maxWait+5*time.Second {
			t.Errorf("%s answers %v after %v; want the deadline's error after %v", method, err, took, maxWait)
		}
		cancel()
	}
}

// A write whose connection cannot be made was not sent: it is tried again, since the
// server may be there a moment later.
func TestWritesAreRepeatedUnlessSent(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	o := single(server)
	var refusals atomic.Int64
	var conns sync.Map
	o.PipelineMultiplex = -1
	o.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		if refusals.Add(-1) >= 0 {
			addr = "127.0.0.1:1"
		}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			conns.Store(c, true)
		}
		return c, err
	}
	s := newStore(t, redisstore.Config{Client: connect(t, o), Prefix: newPrefix()})
	for try := 0; refusals.Load() >= 0; try++ {
		refusals.Store(2)
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		eventually(t, "a write is done over a new connection", func() bool {
			_, err := s.Create(t.Context(), store.Record{ID: fmt.Sprint("id", try), Expires: in(time.Hour)})
			if errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Create: %v; want it to be tried again", err)
			}
			return err == nil || errors.Is(err, store.ErrExists)
		})
	}
}
