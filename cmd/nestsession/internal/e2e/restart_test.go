package e2e

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/cli"
)

// startedAgain: a user who logged in before the server was restarted is still logged in, with
// nothing configured but the data folder.
func startedAgain(t *testing.T, browser context.Context) {
	folder := t.TempDir()
	address, end := serveCommand(t, folder, "127.0.0.1:0")
	b := openAt(t, browser, "http://"+address)
	b.signUp("kim", "correct horse battery")
	b.wantLoggedIn("kim", "after signing up")
	end()
	_, end = serveCommand(t, folder, address)
	defer end()
	b.navigate("/me")
	b.wantLoggedIn("kim", "after the server was started again")
	b.press("Log out")
	if b.path() != "/login?logged-out" {
		t.Errorf("after logging out: %s", b.path())
	}
}

// serveCommand runs `nestsession serve`, and returns its address and a function that ends it.
func serveCommand(t *testing.T, folder, address string) (at string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	status := make(chan int)
	go func() {
		code := cli.Run(ctx, []string{"serve", "--data", folder, "--address", address}, strings.NewReader(""), in, io.Discard)
		_ = in.Close()
		status <- code
	}()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	_, rest, found := strings.Cut(first, "http://")
	if err != nil || !found {
		cancel()
		t.Fatalf("the server said %q, and ended with %d", first, <-status)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return strings.Fields(rest)[0], func() {
		cancel()
		if code := <-status; code != 0 {
			t.Errorf("the server ended with %d", code)
		}
	}
}
