package faults

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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

// relay forwards connections until their other side disappears silently: the connections stay open,
// and nothing is passed on. New connections work.
type relay struct {
	listener net.Listener
	upstream string
	running  sync.WaitGroup

	mu    sync.Mutex
	links []*link
}

// link is one connection through a relay.
type link struct {
	client, server net.Conn
	vanished       atomic.Bool
}

func newRelay(t testing.TB, upstream string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, upstream: upstream}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		for _, k := range r.links {
			k.client.Close()
			k.server.Close()
		}
		r.mu.Unlock()
		r.running.Wait()
	})
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.upstream)
		if err != nil {
			client.Close()
			continue
		}
		k := &link{client: client, server: server}
		r.mu.Lock()
		r.links = append(r.links, k)
		r.mu.Unlock()
		r.running.Go(func() { k.pass(client, server) })
		r.running.Go(func() { k.pass(server, client) })
	}
}

// pass copies until one side ends. It then closes the other side, unless that is to stay silent.
func (k *link) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !k.vanished.Load() {
			if _, err := to.Write(buf[:n]); err != nil {
				_, _ = io.Copy(io.Discard, from)
			}
		}
		if err != nil {
			if !k.vanished.Load() {
				to.Close()
			}
			return
		}
	}
}

// vanish makes the far side of all present connections disappear silently.
func (r *relay) vanish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.links {
		k.vanished.Store(true)
	}
}
