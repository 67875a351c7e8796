package redisstore_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// What would keep a store from hearing of changes is refused, with the name of the field.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for word, change := range map[string]func(o *rueidis.ClientOption, c *redisstore.Config){
		"Config.Client":         func(o *rueidis.ClientOption, c *redisstore.Config) { c.Client = connect(t, *o) },
		"Config.Heartbeat":      func(_ *rueidis.ClientOption, c *redisstore.Config) { c.Heartbeat = -1 },
		"ClientTrackingOptions": func(o *rueidis.ClientOption, _ *redisstore.Config) { o.ClientTrackingOptions = []string{"OPTIN"} },
		"OnInvalidations": func(o *rueidis.ClientOption, _ *redisstore.Config) {
			o.OnInvalidations = func([]rueidis.RedisMessage) {}
		},
		"PipelineMultiplex":     func(o *rueidis.ClientOption, _ *redisstore.Config) { o.PipelineMultiplex = 2 },
		"DisableCache":          func(o *rueidis.ClientOption, _ *redisstore.Config) { o.DisableCache = true },
		"AlwaysRESP2":           func(o *rueidis.ClientOption, _ *redisstore.Config) { o.AlwaysRESP2 = true },
		"DisableAutoPipelining": func(o *rueidis.ClientOption, _ *redisstore.Config) { o.DisableAutoPipelining = true },
		"BlockingPipeline":      func(o *rueidis.ClientOption, _ *redisstore.Config) { o.BlockingPipeline = 100 },
		"ReplicaOnly":           func(o *rueidis.ClientOption, _ *redisstore.Config) { o.ReplicaOnly = true },
		"SendToReplicas": func(o *rueidis.ClientOption, _ *redisstore.Config) {
			o.SendToReplicas = func(rueidis.Completed) bool { return false }
		},
		"Standalone.ReplicaAddress": func(o *rueidis.ClientOption, _ *redisstore.Config) { o.Standalone.ReplicaAddress = o.InitAddress },
		"ConnWriteTimeout":          func(o *rueidis.ClientOption, _ *redisstore.Config) { o.ConnWriteTimeout = -1 },
		"Dialer.KeepAlive":          func(o *rueidis.ClientOption, _ *redisstore.Config) { o.Dialer.KeepAlive = -1 },
		"password":                  func(o *rueidis.ClientOption, _ *redisstore.Config) { o.Password = "wrong-and-secret" },
		"RESP3": func(o *rueidis.ClientOption, _ *redisstore.Config) {
			do(t, server, "ACL", "SETUSER", "deaf", "on", ">deaf", "~*", "+@all", "-client")
			o.Username, o.Password = "deaf", "deaf"
		},
	} {
		o, c := single(server), redisstore.Config{}
		change(&o, &c)
		s, err := redisstore.Open(t.Context(), o, c)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", word)
			continue
		}
		if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "wrong-and-secret") {
			t.Errorf("%s: %v", word, err)
		}
	}
	if _, err := redisstore.New(t.Context(), redisstore.Config{Client: connect(t, single(server)), Heartbeat: 1}); err == nil {
		t.Error("New with Heartbeat: no error")
	}
}

// Open ends with its context where nobody answers.
func TestOpenEndsWithContext(t *testing.T) {
	t.Parallel()
	g := relay.New(t, servers.SharedRedis(t).Addr())
	g.Silence(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := redisstore.Open(ctx, rueidis.ClientOption{InitAddress: []string{g.Addr()}}, redisstore.Config{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A store with a client of the caller's cannot be watched, one that was opened can.
func TestOnlyOpenedStoresAreWatched(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	if _, ok := store.As[store.Watcher](newStore(t, redisstore.Config{Client: connect(t, single(server))})); ok {
		t.Error("a store made by New can be watched")
	}
	s := open(t, single(server), redisstore.Config{})
	if _, ok := store.As[store.Watcher](s); !ok {
		t.Error("a store made by Open cannot be watched")
	}
	if _, ok := store.As[store.Sweeper](s); ok {
		t.Error("it can be swept")
	}
}

// Close ends everything that Open began, while the server answers and while it is silent;
// who watches is told.
func TestCloseEndsAll(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"answering": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := relay.New(t, servers.SharedRedis(t).Addr())
			o := single(servers.SharedRedis(t))
			o.InitAddress = []string{g.Addr()}
			s, err := redisstore.Open(t.Context(), o, redisstore.Config{Heartbeat: time.Millisecond, Prefix: newPrefix()})
			if err != nil {
				t.Fatal(err)
			}
			w, _ := store.As[store.Watcher](s)
			watching := make(chan error)
			events := make(chan store.Event, 1<<16)
			go func() { watching <- w.Watch(t.Context(), func(e store.Event) { events <- e }) }()
			next(t, events, "a heartbeat", isWhole)
			loaded := make(chan error, 1)
			if silent {
				g.Silence(true)
				go func() { _, err := s.Load(t.Context(), "id"); loaded <- err }()
				for len(events) > 0 {
					<-events
				}
			} else {
				loaded <- store.ErrClosed
			}
			closed := make(chan struct{})
			go func() { defer close(closed); s.Close(); s.Close() }()
			select {
			case <-closed:
			case <-time.After(maxWait):
				t.Fatal("Close does not return")
			}
			if err := <-watching; !errors.Is(err, store.ErrClosed) {
				t.Errorf("Watch: %v", err)
			}
			// On a busy machine the heartbeat may find the silent connection dead before Close.
			var timeout net.Error
			if err := <-loaded; !errors.Is(err, store.ErrClosed) && !(errors.As(err, &timeout) && timeout.Timeout()) {
				t.Errorf("a Load under way: %v", err)
			}
			if !silent {
				eventually(t, "the connections have ended", func() bool { return g.Conns() == 0 })
			}
		})
	}
}

// What Open began is gone after Close. It is not run beside others.
func TestNoGoroutinesLeft(t *testing.T) {
	server := servers.SharedRedis(t)
	before := runtime.NumGoroutine()
	for range 5 {
		s, err := redisstore.Open(t.Context(), single(server), redisstore.Config{Heartbeat: time.Millisecond, Prefix: newPrefix()})
		if err != nil {
			t.Fatal(err)
		}
		n := near(t, s)
		next(t, watch(t, n), "a heartbeat", isWhole)
		mustCreate(t, n, owned("id", "user:1", in(time.Hour)))
		n.Close()
		s.Close()
	}
	eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
