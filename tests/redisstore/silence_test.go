package redisstore_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// gap stands between a client and a server, and can lose what is sent, without either
// side being told.
type gap struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup

	mu    sync.Mutex
	all   bool // new connections, too
	conns map[*passage]bool
}

type passage struct {
	client, server net.Conn
	silent         atomic.Bool
}

func newGap(t testing.TB, server string) *gap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gap{listener: l, server: server, conns: map[*passage]bool{}}
	g.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.running.Go(func() { g.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		g.cut()
		g.running.Wait()
	})
	return g
}

func (g *gap) addr() string { return g.listener.Addr().String() }

func (g *gap) serve(client net.Conn) {
	server, err := net.Dial("tcp", g.server)
	if err != nil {
		client.Close()
		return
	}
	p := &passage{client: client, server: server}
	g.mu.Lock()
	p.silent.Store(g.all)
	g.conns[p] = true
	g.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.carry(client, server) })
	both.Go(func() { p.carry(server, client) })
	both.Wait()
	client.Close()
	server.Close()
	g.mu.Lock()
	delete(g.conns, p)
	g.mu.Unlock()
}

// carry hands on what comes. The end of a silent connection is not handed on either.
func (p *passage) carry(from, to net.Conn) {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if n > 0 && !p.silent.Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !p.silent.Load() {
				to.Close()
			}
			return
		}
	}
}

// fallSilent loses from now on what is sent over the connections that there are, and
// with all over new ones as well.
func (g *gap) fallSilent(all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = all
	for p := range g.conns {
		p.silent.Store(true)
	}
}

// heal lets new connections through.
func (g *gap) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = false
}

// cut ends all connections, those that are silent too.
func (g *gap) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.conns {
		p.client.Close()
		p.server.Close()
	}
}
