package natsstore_test

import (
	"net"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store/storetest"
	"github.com/nestsession/session/store/storetest/linear"
)

var options = storetest.Options{
	Without: map[storetest.Capability]string{
		storetest.Sweeper: "the servers remove what has expired by themselves",
	},
	Parallel: true,
}

func TestContractSingle(t *testing.T) {
	t.Parallel()
	server := startOne(t)
	conns := []*nats.Conn{connect(t, server), connect(t, server), connect(t, server)}
	t.Run("on disk", func(t *testing.T) { storetest.Run(t, opener(conns, natsstore.Config{}), options) })
	t.Run("in memory", func(t *testing.T) {
		storetest.Run(t, opener(conns, natsstore.Config{Memory: true}), options)
	})
}

func TestContractCluster(t *testing.T) {
	t.Parallel()
	var conns []*nats.Conn
	for _, server := range startThree(t) {
		conns = append(conns, connect(t, server))
	}
	storetest.Run(t, opener(conns, natsstore.Config{}), options)
}

func TestLinearizableSingle(t *testing.T) {
	t.Parallel()
	server := startOne(t)
	conns := []*nats.Conn{connect(t, server), connect(t, server), connect(t, server)}
	linear.Check(t, opener(conns, natsstore.Config{}), linear.Options{})
}

func TestLinearizableCluster(t *testing.T) {
	t.Parallel()
	var conns []*nats.Conn
	for _, server := range startThree(t) {
		conns = append(conns, connect(t, server))
	}
	linear.Check(t, opener(conns, natsstore.Config{}), linear.Options{})
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
