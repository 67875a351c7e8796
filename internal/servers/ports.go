package servers

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken below those that systems give to outgoing connections, so that none
// of these sits on a server's port while it is down; and so low that the bus of a
// Redis Cluster node, 10000 higher, is below them too.
const (
	firstPort = 10_000
	lastPort  = 21_999
	busOffset = 10_000
)

var (
	portsMu sync.Mutex
	ports   = map[int]bool{} // those of this process's servers, running or not
)

// takePort finds a port on which nothing listens. Another program may still come first:
// callers try again.
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

// givePort lets other servers of this process have the port.
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
