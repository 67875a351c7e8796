package natsstore_test

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

var options = storetest.Options{
	Without: map[storetest.Capability]string{
		storetest.Sweeper: "the servers remove what has expired by themselves",
	},
	Parallel: true,
}

func each(t *testing.T, servers []*embedded.Server, n int) (conns []*nats.Conn) {
	for i := range n {
		conns = append(conns, connect(t, servers[i%len(servers)]))
	}
	return conns
}

func TestContractSingle(t *testing.T) {
	t.Parallel()
	storetest.Run(t, opener(each(t, []*embedded.Server{startOne(t)}, 3), natsstore.Config{}), options)
}

func TestContractCluster(t *testing.T) {
	t.Parallel()
	storetest.Run(t, opener(each(t, startThree(t), 3), natsstore.Config{}), options)
}

// TestLongContractMemory: the same, with a bucket that the server keeps in memory.
func TestLongContractMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, opener(each(t, []*embedded.Server{startOne(t)}, 3), natsstore.Config{Memory: true}), options)
}

// TestLinearizable: three instances, each at a server of its own if there are three.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		linearizable(t, []*embedded.Server{startOne(t)}, natsstore.Config{}, 4)
	})
	t.Run("three", func(t *testing.T) {
		t.Parallel()
		linearizable(t, startThree(t), natsstore.Config{}, 4)
	})
}

// TestLongLinearizable: more histories, on disk and in memory.
func TestLongLinearizable(t *testing.T) {
	t.Parallel()
	for name, memory := range map[string]bool{"three, on disk": false, "three, in memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			linearizable(t, startThree(t), natsstore.Config{Memory: memory}, 10)
		})
	}
}

func linearizable(t *testing.T, servers []*embedded.Server, c natsstore.Config, rounds int) {
	o := linear.Options{Rounds: rounds, OperationTimeout: time.Minute} // the servers are slow on a busy machine
	linear.Check(t, opener(each(t, servers, 3), c), o)
}

// freeAddrs returns addresses on the loopback that nobody listens at.
func freeAddrs(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func deleteBucket(t testing.TB, conn *nats.Conn, bucket string) {
	js, err := jetstream.New(conn)
	if err == nil {
		_ = js.DeleteStream(t.Context(), "KV_"+bucket)
	}
}
