package redisstore_test

import (
	"testing"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/tests/internal/nearby"
	"github.com/nestsession/session/tests/internal/relay"
)

// The connection of a node breaks, in one way or another, while another node writes. No
// answer is older than MaxStale, and everything works again by itself.
func TestStaleness(t *testing.T) {
	t.Parallel()
	type site struct {
		server *servers.Redis
		gap    *relay.Relay
	}
	for name, fault := range map[string]struct {
		begin func(t *testing.T, s site)
		mend  func(s site) // after the fault has lasted
	}{
		"killed":             {func(t *testing.T, s site) { do(t, s.server, "CLIENT", "KILL", "TYPE", "normal") }, nil},
		"cut":                {func(_ *testing.T, s site) { s.gap.Cut() }, nil},
		"half-open":          {func(_ *testing.T, s site) { s.gap.Silence(false) }, nil},
		"half-open for long": {func(_ *testing.T, s site) { s.gap.Silence(true) }, func(s site) { s.gap.Heal() }},
		"frozen":             {func(_ *testing.T, s site) { s.server.Freeze() }, func(s site) { s.server.Thaw() }},
		"restarted":          {func(_ *testing.T, s site) { s.server.Restart() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			s := site{server, relay.New(t, server.Addr())}
			o := single(server)
			o.InitAddress = []string{s.gap.Addr()}
			f := nearby.Fault{Begin: func() { fault.begin(t, s) }}
			if fault.mend != nil {
				f.End = func() { fault.mend(s) }
			}
			nearby.TestStaleness(t, nearby.Nodes{
				Writer: newStore(t, redisstore.Config{Client: connect(t, single(server))}),
				Near:   near(t, open(t, o, redisstore.Config{})),
			}, f)
		})
	}
}
