package natsstore_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/storetest"
)

// atOnce is how many tests run at the same time. They wait for servers more than they compute.
const atOnce = "6"

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", atOnce) // a -parallel of the command line comes later
	os.Exit(servers.Main(m))
}

// maxWait is how long a test waits for what takes a busy machine long.
const maxWait = 2 * time.Minute

const secret = "a secret of the cluster"

func quiet() *slog.Logger {
	if os.Getenv("LOUD") != "" {
		return slog.Default()
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// startOne starts a server by itself in this process.
func startOne(t testing.TB, adjust ...func(*server.Options)) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Name: "one", Folder: folder(t), Logger: quiet(), Adjust: all(adjust)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// startThree starts three servers in this process that form a cluster.
func startThree(t testing.TB, adjust ...func(*server.Options)) []*embedded.Server {
	t.Helper()
	addrs := freeAddrs(t, 3)
	var started []*embedded.Server
	for i, addr := range addrs {
		s, err := embedded.Start(t.Context(), embedded.Config{
			Name: fmt.Sprint("node", i), Folder: folder(t), Listen: addr, Routes: addrs, Secret: secret, Logger: quiet(), Adjust: all(adjust),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		started = append(started, s)
	}
	return started
}

// all is a function that calls each of them.
func all(adjust []func(*server.Options)) func(*server.Options) {
	return func(o *server.Options) {
		for _, f := range adjust {
			f(o)
		}
	}
}

// folder is removed with the test, also while a server still writes into it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nats")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

var buckets atomic.Int64

func newBucket() string { return fmt.Sprint("test", buckets.Add(1)) }

func connect(t testing.TB, s *embedded.Server) *nats.Conn {
	t.Helper()
	conn, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// newStore makes a store that is closed with the test.
func newStore(t testing.TB, c natsstore.Config) *natsstore.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	if c.Timeout == 0 {
		c.Timeout = maxWait
	}
	if c.Logger == nil {
		c.Logger = quiet()
	}
	s, err := natsstore.New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// opener opens stores on a bucket of their own, one a connection.
func opener(conns []*nats.Conn, c natsstore.Config) func(t *testing.T) storetest.Opened {
	return func(t *testing.T) storetest.Opened {
		c := c
		c.Bucket = newBucket()
		var all []store.Store
		for _, conn := range conns {
			c.Conn = conn
			all = append(all, newStore(t, c))
		}
		t.Cleanup(func() { deleteBucket(t, conns[0], c.Bucket) })
		return storetest.Opened{Store: all[0], Peers: all[1:]}
	}
}

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(maxWait)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for this: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
