package stores

import (
	"context"
	"crypto/tls"
	"io"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store/nearcache"
)

// NATS keeps sessions in a cluster of NATS servers.
func NATS(ctx context.Context) (*Sessions, error) {
	conn, err := nats.Connect(os.Getenv("NATS_URL"), natsstore.Options()...)
	if err != nil {
		return nil, err
	}
	kept, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
	if err != nil {
		return nil, err
	}
	near, err := nearcache.New(kept, nearcache.Config{})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: near})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{closer(conn.Close), kept, near, sessions}}, nil
}

// NATSEmbedded starts one of the three servers of a cluster inside this node, and keeps sessions in it.
func NATSEmbedded(ctx context.Context, name string, certificates *tls.Config) (*natsstore.Store, error) {
	server, err := embedded.Start(ctx, embedded.Config{
		Name:   name, // "node1", the same after a restart
		Folder: "/var/lib/shop/nats",
		Listen: os.Getenv("CLUSTER_ADDRESS"),                   // "10.0.0.1:6222"
		Routes: strings.Split(os.Getenv("CLUSTER_NODES"), ","), // "10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"
		Secret: os.Getenv("CLUSTER_SECRET"),
		TLS:    certificates,
	})
	if err != nil {
		return nil, err
	}
	conn, err := server.Connect()
	if err != nil {
		return nil, err
	}
	return natsstore.New(ctx, natsstore.Config{Conn: conn})
}
