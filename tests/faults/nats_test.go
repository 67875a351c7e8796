package faults

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// A single server keeps what it has acknowledged when it is killed. What a cluster keeps is tested
// with package natsstore.
func init() {
	backends["nats"] = func(t testing.TB) backend {
		s := natsserver.Start(t, 1, servers.NATSOptions{Password: password})[0]
		return backend{s, s.Password(), func(t testing.TB, addr string) store.Store {
			t.Helper()
			kept, err := natsstore.Open(context.Background(), s.URLAt(addr), natsstore.Config{}, nats.IgnoreDiscoveredServers())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { kept.Close() })
			return kept
		}}
	}
}
