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

// TestMain runs the tests; or, in a process that a test started, what that test requests.
func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "without Main" {
		os.Exit(m.Run())
	}
	os.Exit(Main(m))
}

// within returns a context that ends before a wait becomes too long.
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
