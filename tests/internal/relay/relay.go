// Package relay is between the client of a test and a server: it counts their round trips,
// changes or drops what they send, and lets connections fall silent.
package relay

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Relay forwards connections to a server.
type Relay struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup

	trips atomic.Int64

	mu      sync.Mutex
	request func(request []byte) (forward bool)
	reply   func(reply []byte) []byte
	silent  bool // new connections are
	closed  bool
	conns   map[*conn]bool
}

// conn is one connection through a relay.
type conn struct {
	client, server net.Conn
	silent         atomic.Bool
	requested      atomic.Bool // the client was the last to send, and not upkeep
}

// New starts a relay to the address of a server. It is closed when the test ends.
func New(t testing.TB, server string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: l, server: server, conns: map[*conn]bool{}}
	r.running.Go(r.accept)
	t.Cleanup(r.Close)
	return r
}

// Close closes the relay and its connections, and waits for its goroutines.
func (r *Relay) Close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Cut()
	r.running.Wait()
}

// Addr returns the address at which clients reach the server.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Through returns the connection string of the server with the relay's address.
func (r *Relay) Through(dsn string) string { return strings.Replace(dsn, r.server, r.Addr(), 1) }

// RoundTrips returns how often a client has sent something after the server had, or first, on each
// connection by itself. What a client of Redis sends to open or to check one does not count.
func (r *Relay) RoundTrips() int64 { return r.trips.Load() }

// OnRequest sets a function that is called with what a client sends, in the pieces in which it
// arrives. If it returns false, the piece is dropped and the connection cut.
func (r *Relay) OnRequest(f func(request []byte) (forward bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.request = f
}

// OnReply sets a function that is called with what the server sends, in the pieces in which it
// arrives, and returns what the client gets. If it returns nil, the connection is cut.
func (r *Relay) OnReply(f func(reply []byte) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = f
}

// Silence loses what is sent over the present connections from now on, without closing them, as a
// firewall does that has lost its state. If all is set, that holds for new connections too.
func (r *Relay) Silence(all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = all
	for c := range r.conns {
		c.silent.Store(true)
	}
}

// Heal forwards new connections again.
func (r *Relay) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = false
}

// Conns returns how many connections are open.
func (r *Relay) Conns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Cut closes all connections, including silent ones.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.close()
	}
}

func (c *conn) close() { _, _ = c.client.Close(), c.server.Close() }

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.running.Go(func() { r.serve(client) })
	}
}

func (r *Relay) serve(client net.Conn) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &conn{client: client, server: server}
	r.mu.Lock()
	c.silent.Store(r.silent)
	r.conns[c] = true
	if r.closed { // it was accepted just before
		c.close()
	}
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.forward(client, server, func(piece []byte) []byte { return r.onRequest(c, piece) }) })
	both.Go(func() { c.forward(server, client, func(piece []byte) []byte { return r.onReply(c, piece) }) })
	both.Wait()
	c.close()
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
}

func (r *Relay) onRequest(c *conn, piece []byte) []byte {
	if !isUpkeep(piece) && !c.requested.Swap(true) {
		r.trips.Add(1)
	}
	r.mu.Lock()
	request := r.request
	r.mu.Unlock()
	if request != nil && !request(piece) {
		return nil
	}
	return piece
}

// isUpkeep reports whether a client of Redis opens or checks a connection, which it does in the
// background whenever it likes.
func isUpkeep(request []byte) bool {
	return bytes.Contains(request, []byte("\r\nHELLO\r\n")) || string(request) == "*1\r\n$4\r\nPING\r\n"
}

func (r *Relay) onReply(c *conn, piece []byte) []byte {
	c.requested.Store(false)
	r.mu.Lock()
	reply := r.reply
	r.mu.Unlock()
	if reply == nil {
		return piece
	}
	return reply(piece)
}

// forward copies until one side closes, and then closes the other; but not if the connection is
// silent, because then the other side must not notice.
func (c *conn) forward(from, to net.Conn, hook func([]byte) []byte) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !c.silent.Load() {
			piece := hook(b[:n])
			if piece == nil {
				c.close()
				return
			}
			if _, err := to.Write(piece); err != nil && !c.silent.Load() {
				c.close()
				return
			}
		}
		if err != nil {
			if !c.silent.Load() {
				_ = to.Close()
			}
			return
		}
	}
}
