package e2e

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/cli"
	"github.com/nestsession/session/internal/servers"
)

// nodeVariable makes the test program the command, so that nodes are processes.
const nodeVariable = "NESTSESSION_E2E_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(servers.Main(m))
}

// nodesOnRedis and nodesOnSQLite: a user's devices are at two servers in different processes, which
// share the users, the secret and the session store.
func nodesOnRedis(t *testing.T, browser context.Context) {
	twoNodes(t, browser, redisStore(t))
}

func nodesOnSQLite(t *testing.T, browser context.Context) { twoNodes(t, browser, "") }

func twoNodes(t *testing.T, browser context.Context, store string) {
	folder := t.TempDir()
	one, two := startNode(t, folder, store), startNode(t, folder, store)
	l, p := devices(t, browser, one, two)
	l.press("Your devices")
	p.press("Your devices")
	l.wantDevices(laptop, phone)
	p.wantDevices(phone, laptop)
	l.mark()
	p.mark()
	third := openAs(t, browser, two, tabletAgent)
	third.logIn("kim", "correct horse battery")
	third.mark()
	p.awaitDevices(phone, tablet, laptop)
	l.awaitDevices(laptop, tablet, phone)
	l.logOutDevice(phone)
	p.wantEnded()
	l.mark()
	third.press("Log out")
	l.awaitDevices(laptop)
	p.logIn("kim", "correct horse battery")
	p.mark()
	l.awaitDevices(laptop, phone)
	l.press("Log out everywhere else")
	p.wantEnded()
	l.wantDevices(laptop)
}

// startNode starts `nestsession serve` as a process, and ends it with the test.
func startNode(t *testing.T, folder, store string) (url string) {
	t.Helper()
	node, url := launchNode(t, folder, store)
	t.Cleanup(func() { endNode(t, node) })
	return url
}

func launchNode(t *testing.T, folder, store string, flags ...string) (node *exec.Cmd, url string) {
	t.Helper()
	node = exec.Command(os.Args[0], append([]string{"serve", "--data", folder, "--address", "127.0.0.1:0"}, flags...)...)
	node.Env = append(os.Environ(), nodeVariable+"=yes", "NESTSESSION_STORE="+store)
	node.Stderr = t.Output()
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	_, rest, found := strings.Cut(first, "http://")
	if err != nil || !found {
		t.Fatalf("the server said %q: %v", first, errors.Join(err, node.Process.Kill(), node.Wait()))
	}
	return node, "http://" + strings.Fields(rest)[0]
}

func endNode(t *testing.T, node *exec.Cmd) {
	t.Helper()
	// Open streams do not delay its end.
	if err := node.Process.Signal(syscall.SIGINT); err != nil {
		t.Errorf("ending the server: %v", err)
	}
	if err := node.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
