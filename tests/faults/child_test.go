package faults

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/nestsession/session/store/sqlstore"
)

// childMode is the environment variable that makes this program a node on the SQLite file that the
// variable names. It listens at the address in childAddr.
const (
	childMode = "NESTSESSION_FAULTS_SQLITE"
	childAddr = "NESTSESSION_FAULTS_ADDR"
)

const childTimeout = 2 * time.Second

// sqliteDSN is how a durable SQLite database is opened.
func sqliteDSN(file string) string { return sqliteWaiting(file, childTimeout) }

// sqliteWaiting is sqliteDSN with the time for which a connection waits for a lock.
func sqliteWaiting(file string, wait time.Duration) string {
	return fmt.Sprintf("file:%s?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(%d)&_txlock=immediate", file, wait.Milliseconds())
}

// serveChild is the process of the node. It ends when its standard input ends, which is its
// parent's.
func serveChild(file string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	db, err := sql.Open("sqlite", sqliteDSN(file))
	if err != nil {
		return fail(err)
	}
	s, err := sqlstore.New(context.Background(), sqlstore.Config{DB: db, Dialect: sqlstore.SQLite, Create: true})
	if err != nil {
		return fail(err)
	}
	m, err := sessions(s, childTimeout, slog.Default())
	if err != nil {
		return fail(err)
	}
	l, err := net.Listen("tcp", os.Getenv(childAddr))
	if err != nil {
		return fail(err)
	}
	fmt.Println("at", l.Addr())
	return fail(http.Serve(l, routes(m, childTimeout)))
}

const anyAddr = "http://127.0.0.1:0"

// child is a node in a process of its own.
type child struct {
	*node
	t    testing.TB
	file string
	cmd  *exec.Cmd
	err  strings.Builder
}

func startChild(t testing.TB, file string) *child {
	t.Helper()
	c := &child{node: &node{url: anyAddr, maxWait: maxWait}, t: t, file: file}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the node wrote:\n%s", c.err.String())
		}
	})
	c.start()
	return c
}

// start starts the process, again at the same address if it was started before.
func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), childMode+"="+c.file, childAddr+"="+strings.TrimPrefix(c.url, "http://"))
	c.cmd.Stderr = &c.err
	if _, err := c.cmd.StdinPipe(); err != nil { // open until this process ends
		c.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
	if !ok {
		c.kill()
		c.t.Fatalf("the node did not start: %v", err)
	}
	if c.url == anyAddr { // the address stays the same, and others read it
		c.url = "http://" + addr
	}
}

// kill ends the process as a crash would.
func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	c.cmd = nil
}
