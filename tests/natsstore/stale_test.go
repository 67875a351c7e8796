package natsstore_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/tests/internal/natsserver"
	"github.com/nestsession/session/tests/internal/nearby"
	"github.com/nestsession/session/tests/internal/relay"
)

// The connection of a node breaks, or its server, while another node writes. No answer is older than
// MaxStale, and everything works again by itself.
func TestStaleness(t *testing.T) {
	t.Parallel()
	type site struct {
		all []*servers.NATS
		gap *relay.Relay // in front of the first server
	}
	for name, fault := range map[string]struct {
		begin func(s site)
		mend  func(s site) // after the fault has lasted
	}{
		"cut":                {func(s site) { s.gap.Cut() }, nil},
		"half-open":          {func(s site) { s.gap.Silence(false) }, nil},
		"half-open for long": {func(s site) { s.gap.Silence(true) }, func(s site) { s.gap.Heal() }},
		"frozen":             {func(s site) { s.all[0].Freeze() }, func(s site) { s.all[0].Thaw() }},
		"killed":             {func(s site) { s.all[0].Kill() }, func(s site) { s.all[0].Restart() }},
		"majority frozen": {func(s site) { s.all[1].Freeze(); s.all[2].Freeze() },
			func(s site) { s.all[1].Thaw(); s.all[2].Thaw() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := natsserver.Start(t, 3, servers.NATSOptions{})
			s := site{all, relay.New(t, all[0].Addr())}
			conn, err := nats.Connect(all[0].URLAt(s.gap.Addr()), append(natsstore.Options(), nats.IgnoreDiscoveredServers())...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			writer := newStore(t, natsstore.Config{Conn: dial(t, all[1], all[2])})
			near, err := nearcache.New(newStore(t, natsstore.Config{Conn: conn, Timeout: natsstore.DefaultTimeout}), nearcache.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { near.Close() })
			f := nearby.Fault{Begin: func() { fault.begin(s) }}
			if fault.mend != nil {
				f.End = func() { fault.mend(s) }
			}
			nearby.TestStaleness(t, nearby.Nodes{Writer: writer, Near: near}, f)
		})
	}
}
