package embedded_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nestsession/session/natsstore/embedded"
)

// Start refuses what could not work, and what others could read or join.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config embedded.Config
		says   string
	}{
		"no folder":              {embedded.Config{}, "Config.Folder is empty"},
		"routes, but no address": {embedded.Config{Folder: "x", Routes: []string{"127.0.0.1:1"}}, "Config.Listen is empty"},
		"no secret":              {embedded.Config{Folder: "x", Listen: "127.0.0.1:6222"}, "Config.Secret has fewer than 16"},
		"a short secret":         {embedded.Config{Folder: "x", Clients: "127.0.0.1:4222", Secret: "short"}, "Config.Secret has fewer than 16"},
		"clear text":             {embedded.Config{Folder: "x", Listen: "10.0.0.1:6222", Secret: "a secret of the cluster"}, "Config.TLS is nil"},
		"clear text, everywhere": {embedded.Config{Folder: "x", Listen: "0.0.0.0:6222", Secret: "a secret of the cluster"}, "Config.TLS is nil"},
		"clients in clear text":  {embedded.Config{Folder: "x", Clients: ":4222", Secret: "a secret of the cluster"}, "Config.TLS is nil"},
		"no port":                {embedded.Config{Folder: "x", Listen: "127.0.0.1", Secret: "a secret of the cluster"}, "Config.Listen"},
		"a route without a port": {embedded.Config{Folder: "x", Listen: "127.0.0.1:6222", Routes: []string{"node2"}, Secret: "a secret of the cluster"}, "Config.Routes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Adjust = func(*server.Options) { t.Error("it was accepted") }
			s, err := embedded.Start(t.Context(), c.config)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an error that says %q", err, c.says)
			}
		})
	}
}

// With TLS, servers check each other's certificates.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	stop := func(o *server.Options) {
		if c := o.Cluster.TLSConfig; c == nil || c.ClientAuth != tls.RequireAndVerifyClientCert {
			t.Errorf("the connections between servers have the TLS options %v", c)
		}
		o.StoreDir = "/dev/null/no folder" // so that the server does not start
	}
	_, err := embedded.Start(t.Context(), embedded.Config{
		Name: "one", Folder: "x", Listen: "127.0.0.1:6222", Secret: "a secret of the cluster", TLS: &tls.Config{}, Adjust: stop,
	})
	if err == nil {
		t.Error("a server started in no folder")
	}
}

// Other programs cannot connect to a server without Clients.
func TestPrivate(t *testing.T) {
	t.Parallel()
	s, err := embedded.Start(t.Context(), embedded.Config{Name: "one", Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Addr() != "" {
		t.Errorf("it listens at %s", s.Addr())
	}
	conn, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
