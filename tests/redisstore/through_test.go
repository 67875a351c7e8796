package redisstore_test

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/tests/internal/relay"
)

// through makes a client reach each address by its relay.
func through(o rueidis.ClientOption, relays map[string]*relay.Relay) rueidis.ClientOption {
	o.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		if r := relays[addr]; r != nil {
			addr = r.Addr()
		}
		return d.DialContext(ctx, "tcp", addr)
	}
	return o
}
