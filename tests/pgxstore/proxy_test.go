package pgxstore_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a node and the server.
type proxy struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup
	turns    atomic.Int64 // how often a client has spoken after the server
	spoke    atomic.Bool  // the client was the last to speak
	late     atomic.Int64 // ns by which answers come late
	pooled   atomic.Bool  // says of connections what a pooler says

	mu      sync.Mutex
	swallow bool // new connections, too
	conns   map[*passage]bool
}

// passage is one connection through the proxy.
type passage struct {
	client, server net.Conn
	dead           atomic.Bool // nothing comes through any more, and nobody says so
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server, conns: map[*passage]bool{}}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(p.close)
	return p
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cut()
	p.running.Wait()
}

// through returns the connection string for a connection through the proxy.
func (p *proxy) through(dsn string) string {
	return strings.Replace(dsn, p.server, p.listener.Addr().String(), 1)
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &passage{client: client, server: server}
	p.mu.Lock()
	c.dead.Store(p.swallow)
	p.conns[c] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.carry(c, client, server) })
	both.Go(func() { p.carry(c, server, client) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *proxy) carry(c *passage, from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if c.dead.Load() {
			continue
		}
		if from == c.server {
			p.spoke.Store(false)
			if p.pooled.Load() {
				rename(b[:n])
			}
			if late := p.late.Load(); late > 0 {
				<-time.After(time.Duration(late))
			}
		} else if !p.spoke.Swap(true) {
			p.turns.Add(1)
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// rename changes the process id in a BackendKeyData message, as poolers do, which have
// their clients cancel by numbers of their own
// (www.postgresql.org/docs/current/protocol-message-formats.html).
func rename(b []byte) {
	if i := bytes.Index(b, []byte("K\x00\x00\x00\x0c")); i >= 0 && len(b) >= i+9 {
		pid := b[i+5 : i+9]
		binary.BigEndian.PutUint32(pid, binary.BigEndian.Uint32(pid)+1)
	}
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_, _ = c.client.Close(), c.server.Close()
	}
}

// halfOpen keeps the connections, and new ones until heal, open without passing anything
// on.
func (p *proxy) halfOpen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = true
	for c := range p.conns {
		c.dead.Store(true)
	}
}

// heal lets new connections through.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = false
}
