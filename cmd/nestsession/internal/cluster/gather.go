package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session/internal/backoff"
)

// greeting is what a node says that waits for the others.
const greeting = "nestsession waits for the other nodes\n"

const (
	callTime   = time.Second            // for an answer of another node
	callPause  = 50 * time.Millisecond  // until a node is called again
	lingerTime = 200 * time.Millisecond // until the others have seen this node, too
	reportTime = 10 * time.Second       // how long nodes are silent before that is logged
)

// gather returns when all nodes have started, or at once if this node has data. It reports whether
// none of them has a server yet: then this is the first start of the cluster. At the first start the servers of NATS
// elect a leader only with the votes of all, because a server without data does not know whether it
// had any. If they start together, they need less than a second, else up to ten. If one of the
// others has a server already, this node has lost its disk, and gets the data from them.
func gather(ctx context.Context, c Config, folder string, links *tls.Config) (first bool, err error) {
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return false, fmt.Errorf("the cluster's node cannot listen for the others: %w: --cluster-listen names another address of this machine, such as 0.0.0.0:7700", err)
	}
	called := make(chan struct{}, 1) // by another node, which has started just now
	done := make(chan struct{})
	go func() {
		defer close(done)
		greet(tls.NewListener(ln, links), called)
	}()
	defer func() { _ = ln.Close(); <-done }()
	missing := slices.DeleteFunc(slices.Clone(c.Nodes), func(n string) bool { return n == c.Node })
	late := time.NewTicker(reportTime)
	defer late.Stop()
	for {
		var runs bool
		if missing, runs = call(ctx, missing, links); runs {
			return false, nil
		}
		if len(missing) == 0 {
			backoff.Pause(ctx, lingerTime)
			return true, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-late.C:
			c.Logger.Warn("the first start of a cluster needs all of its nodes: waiting for " + strings.Join(missing, " and "))
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
		_ = conn.SetDeadline(time.Now().Add(callTime))
		if _, err := io.WriteString(conn, greeting); err == nil { // it is a node
			select {
			case called <- struct{}{}:
			default:
			}
		}
		_ = conn.Close()
	}
}

// state is what is known of another node.
type state int

const (
	silent  state = iota // it cannot be reached, or does not know the secret
	waiting              // it gathers the others, too
	running              // it has a server
)

// call asks nodes whether they have started. It returns those that do not answer, and whether one
// has a server already.
func call(ctx context.Context, nodes []string, links *tls.Config) (missing []string, runs bool) {
	type answer struct {
		node string
		is   state
	}
	answers := make(chan answer)
	for _, node := range nodes {
		go func() { answers <- answer{node, ask(ctx, node, links)} }()
	}
	for range nodes {
		switch a := <-answers; a.is {
		case silent:
			missing = append(missing, a.node)
		case running:
			runs = true
		case waiting:
		}
	}
	slices.Sort(missing)
	return missing, runs
}

func ask(ctx context.Context, node string, links *tls.Config) state {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := (&tls.Dialer{Config: links}).DialContext(ctx, "tcp", node)
	if err != nil {
		return silent
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(callTime))
	text := make([]byte, len(greeting))
	n, err := io.ReadFull(conn, text)
	var refused net.Error
	switch {
	case err == nil && string(text) == greeting:
		return waiting
	case n == 0 && (!errors.As(err, &refused) || !refused.Timeout()):
		return silent // it does not accept this node's certificate, which TLS 1.3 says only now
	}
	return running
}
