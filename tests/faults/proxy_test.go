package faults

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxy is between a store and its server, and disturbs the connections.
type proxy struct {
	*toxiproxy.Proxy
	t testing.TB
}

// newProxy starts a proxy that does not disturb anything yet.
func newProxy(t testing.TB, upstream string) proxy {
	t.Helper()
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	p := proxy{toxiproxy.NewProxy(toxiproxy.NewServer(metrics, zerolog.Nop()), t.Name(), "127.0.0.1:0", upstream), t}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// harm adds a toxic: see github.com/Shopify/toxiproxy for its attributes. The stream is
// "upstream", to the server, or "downstream", from it.
func (p proxy) harm(toxic, stream string, attributes map[string]int64) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"type": toxic, "name": toxic + stream, "stream": stream, "attributes": attributes})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
		p.t.Fatal(err)
	}
}

// heal removes all toxics.
func (p proxy) heal() { p.Toxics.ResetToxics(context.Background()) }
