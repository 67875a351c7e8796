package servers

import (
	"net"
	"strconv"
	"testing"
)

// FreeAddress returns an address on the loopback for a server that the test starts by itself, and may
// restart: no other test of the process gets it until the test ends, and no outgoing connection.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := takePort(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { givePort(port) })
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
