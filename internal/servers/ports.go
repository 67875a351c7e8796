package servers

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are below the range from which systems take ports for outgoing connections, so that no such
// connection uses a server's port while the server is down. The bus of a Redis Cluster node, at the
// port plus 10000, is below that range too.
const (
	firstPort = 10_000
	lastPort  = 21_999
	busOffset = 10_000
)

var (
	portsMu sync.Mutex
	ports   = map[int]bool{} // the ports of this process's servers, running or not
)

// takePort finds a port on which nothing listens. Another program may take it before the server
// does; then the caller tries again.
func takePort(bus bool) (int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if ports[port] || !isFree(port) || bus && !isFree(port+busOffset) {
			continue
		}
		ports[port] = true
		return port, nil
	}
	return 0, errors.New("servers: no free loopback port between " + strconv.Itoa(firstPort) + " and " + strconv.Itoa(lastPort))
}

// givePort makes the port available to other servers of this process.
func givePort(port int) {
	portsMu.Lock()
	defer portsMu.Unlock()
	delete(ports, port)
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
