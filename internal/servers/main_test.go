//go:build unix

package servers

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the tests, or in a process that one of them started what it asks for.
func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "without Main" {
		os.Exit(m.Run())
	}
	os.Exit(Main(m))
}

// within is a context that ends a wait that would be in vain.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// refuses reports whether nothing listens at the address.
func refuses(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, maxWait)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
