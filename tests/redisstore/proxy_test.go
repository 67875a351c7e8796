package redisstore_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"
)

// proxy stands between a client and a server. It counts the turns: how often
// the client speaks after the server has, but for upkeep. Tests give it hooks.
type proxy struct {
	listener net.Listener
	server   string
	turns    atomic.Int64
	spoke    atomic.Bool // the client was the last to speak

	mu      sync.Mutex
	ask     func(request []byte) (forward bool)
	reply   func(answer []byte) []byte // nil: the connection is cut
	wrapped []net.Conn
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		running.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// onAsk is called with what the client sends, in the pieces in which it arrives.
func (p *proxy) onAsk(f func(request []byte) (forward bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ask = f
}

// onReply is called with what the server sends and returns what the client gets;
// nil cuts the connection.
func (p *proxy) onReply(f func(answer []byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = f
}

func (p *proxy) hooks() (func([]byte) bool, func([]byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ask, p.reply
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.wrapped {
		c.Close()
	}
	p.wrapped = nil
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.wrapped = append(p.wrapped, client, server)
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		pass(client, server, func(b []byte) []byte {
			if !p.spoke.Swap(true) && !isUpkeep(b) {
				p.turns.Add(1)
			}
			if ask, _ := p.hooks(); ask != nil && !ask(b) {
				return nil
			}
			return b
		})
	})
	both.Go(func() {
		defer client.Close()
		pass(server, client, func(b []byte) []byte {
			p.spoke.Store(false)
			if _, reply := p.hooks(); reply != nil {
				return reply(b)
			}
			return b
		})
	})
	both.Wait()
}

// isUpkeep reports whether a client makes or checks a connection, which it does at times of
// its own, in the background.
func isUpkeep(request []byte) bool {
	return bytes.Contains(request, []byte("\r\nHELLO\r\n")) || string(request) == "*1\r\n$4\r\nPING\r\n"
}

// pass hands on what comes until one side closes or hook answers nil.
func pass(from io.Reader, to io.Writer, hook func([]byte) []byte) {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if n > 0 {
			out := hook(b[:n])
			if out == nil {
				return
			}
			if _, err := to.Write(out); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// through lets a client reach each address by its proxy.
func through(o rueidis.ClientOption, proxies map[string]*proxy) rueidis.ClientOption {
	o.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		if p := proxies[addr]; p != nil {
			addr = p.addr()
		}
		return d.DialContext(ctx, "tcp", addr)
	}
	return o
}
