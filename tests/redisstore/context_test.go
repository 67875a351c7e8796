package redisstore_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// soon is when a call should have returned after its context ended.
const soon = maxWait

// calls are all methods that ask the server.
func calls(s *redisstore.Store) map[string]func(ctx context.Context) error {
	r := owned("id", "user:1", time.Now().Add(time.Hour))
	list := func(owner string) func(ctx context.Context) error {
		return func(ctx context.Context) (err error) {
			for _, err = range s.List(ctx, owner) {
			}
			return err
		}
	}
	return map[string]func(ctx context.Context) error{
		"Load":   func(ctx context.Context) error { _, err := s.Load(ctx, r.ID); return err },
		"Create": func(ctx context.Context) error { _, err := s.Create(ctx, r); return err },
		"Update": func(ctx context.Context) error { _, err := s.Update(ctx, r); return err },
		"Touch":  func(ctx context.Context) error { return s.Touch(ctx, r.ID, r.Expires) },
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, r.ID) },
		"Ping":   s.Ping, "List": list(""), "List of an owner": list("user:1"),
		"TrimOwners": func(ctx context.Context) error { _, err := s.TrimOwners(ctx); return err },
	}
}

// endsWith calls every method under a context that ends, by its deadline or because
// somebody cancels it long before that. Without a connection another error may
// come before.
func endsWith(t *testing.T, s *redisstore.Store, connected bool) {
	t.Helper()
	for method, call := range calls(s) {
		for how, start := range map[string]func() (context.Context, context.CancelFunc){
			"deadline": func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 50*time.Millisecond)
			},
			"cancel": func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				time.AfterFunc(50*time.Millisecond, cancel)
				return ctx, cancel
			},
		} {
			ctx, cancel := start()
			began := time.Now()
			err := call(ctx)
			if took := time.Since(began); took > soon {
				t.Errorf("%s, %s: returned after %v", method, how, took)
			}
			if err == nil || connected && !errors.Is(err, ctx.Err()) {
				t.Errorf("%s, %s: %v, want the context's error %v", method, how, err, ctx.Err())
			}
			cancel()
		}
	}
}

// A server that is alive and does not answer.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	s := newStore(t, redisstore.Config{Client: connect(t, single(server))})
	server.Freeze()
	endsWith(t, s, true)
	server.Thaw()
	eventually(t, "the store works again, by itself", func() bool {
		_, err := s.Load(t.Context(), "none")
		return errors.Is(err, store.ErrNotFound)
	})
}

func TestFrozenCluster(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t, servers.ClusterOptions{})
	s := newStore(t, redisstore.Config{Client: connect(t, rueidis.ClientOption{InitAddress: cluster.Addrs()})})
	for _, n := range cluster.Nodes {
		n.Freeze()
	}
	endsWith(t, s, true)
	for _, n := range cluster.Nodes {
		n.Thaw()
	}
	eventually(t, "the store works again, by itself", func() bool {
		_, err := s.Load(t.Context(), "none")
		return errors.Is(err, store.ErrNotFound)
	})
}

// A client whose connections are full of somebody else's commands, which wait for
// answers: rueidis then lets callers wait without a look at their contexts.
func TestFullPipeline(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	o := single(server)
	o.RingScaleEachConn, o.PipelineMultiplex = 1, -1 // one connection, two commands
	client := connect(t, o)
	s := newStore(t, redisstore.Config{Client: client})
	server.Freeze()
	others := make(chan struct{})
	const waiting = 8
	for range waiting {
		go func() {
			client.Do(context.Background(), client.B().Ping().Build())
			others <- struct{}{}
		}()
	}
	endsWith(t, s, true)
	server.Thaw()
	for range waiting {
		<-others
	}
	eventually(t, "the store works again, by itself", func() bool {
		_, err := s.Load(t.Context(), "none")
		return errors.Is(err, store.ErrNotFound)
	})
}

// One caller's deadline is not another's error, on whichever connection they meet.
func TestDeadlinesOfOthers(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	o := single(server)
	o.PipelineMultiplex = -1 // one connection
	s := newStore(t, redisstore.Config{Client: connect(t, o)})
	for range 5 {
		server.Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		errs := make(chan error, 2)
		go func() { errs <- s.Touch(ctx, "first", in(time.Hour)) }()
		second, cancelSecond := context.WithTimeout(t.Context(), 20*time.Millisecond)
		<-second.Done()
		cancelSecond()
		others := make(chan error)
		go func() { others <- s.Delete(t.Context(), "second") }()
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the one with a deadline: %v", err)
		}
		server.Thaw()
		if err := <-others; err != nil {
			t.Errorf("the one without: %v", err)
		}
		cancel()
	}
}

// A client that has lost its connections to a server that takes new ones and says
// nothing on them.
func TestSilentWhileConnecting(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	p := relay.New(t, server.Addr())
	s := newStore(t, redisstore.Config{Client: connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p}))})
	server.Freeze()
	p.Cut()
	endsWith(t, s, false)
	server.Thaw()
	eventually(t, "the store works again, by itself", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Load(ctx, "none")
		return errors.Is(err, store.ErrNotFound)
	})
}

// Close does not wait for a server that hangs while owners are trimmed.
func TestCloseWhileTrimming(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	s := newStore(t, redisstore.Config{Client: connect(t, single(server)), TrimInterval: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	eventually(t, "it trims", func() bool { return do(t, server, "EXISTS", "nest-trim:nest:") == "1" })
	server.Freeze()
	defer server.Thaw()
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("Close returned after %v", took)
	}
}
