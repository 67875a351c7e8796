package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// greeting is what a node says that waits for the others. A server of NATS says INFO.
const greeting = "nestsession waits for the other nodes\n"

const (
	callTime   = time.Second           // for an answer of another node
	callPause  = 50 * time.Millisecond // until a node is called again
	reportTime = 10 * time.Second      // how long nodes are silent before that is logged
)

// gather returns when all nodes have started, or at once if this node has data. At the first start
// the servers of NATS elect a leader only with the votes of all, because a server without data does
// not know whether it had any. If they start together, they need less than a second, else up to ten.
// If one of the others runs already, this node has lost its disk, and gets the data from them.
func gather(ctx context.Context, c Config, folder string) error {
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("the cluster's node cannot listen for the others: %w: --cluster-listen names another address of this machine, such as 0.0.0.0:7700", err)
	}
	called := make(chan struct{}, 1) // by another node, which has started just now
	done := make(chan struct{})
	go func() {
		defer close(done)
		greet(ln, called)
	}()
	defer func() { _ = ln.Close(); <-done }()
	silent := slices.DeleteFunc(slices.Clone(c.Nodes), func(n string) bool { return n == c.Node })
	late := time.NewTicker(reportTime)
	defer late.Stop()
	for {
		var running bool
		if silent, running = call(ctx, silent); len(silent) == 0 || running {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			c.Logger.Warn("the first start of a cluster needs all of its nodes: waiting for " + strings.Join(silent, " and "))
		case <-called:
		case <-time.After(callPause):
		}
	}
}

// greet answers calls until the listener is closed.
func greet(ln net.Listener, called chan<- struct{}) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case called <- struct{}{}:
		default:
		}
		_ = conn.SetDeadline(time.Now().Add(callTime))
		_, _ = io.WriteString(conn, greeting)
		_ = conn.Close()
	}
}

// call asks nodes whether they have started. It returns those that do not answer, and whether one
// runs its server already.
func call(ctx context.Context, nodes []string) (silent []string, running bool) {
	type answer struct{ node, line string }
	answers := make(chan answer)
	for _, node := range nodes {
		go func() { answers <- answer{node, ask(ctx, node)} }()
	}
	for range nodes {
		a := <-answers
		switch {
		case a.line == "":
			silent = append(silent, a.node)
		case a.line != greeting:
			running = true
		}
	}
	slices.Sort(silent)
	return silent, running
}

func ask(ctx context.Context, node string) (line string) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", node)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(callTime))
	line, _ = bufio.NewReaderSize(io.LimitReader(conn, 64), 64).ReadString('\n')
	return line
}
