// Package cluster makes login servers on several machines one: each process has a server of NATS
// JetStream inside, and these keep the users and the sessions together.
package cluster

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/natsstore/embedded"
)

// Config says which nodes are the cluster, and which of them is this one.
type Config struct {
	Nodes  []string // the addresses of all nodes for each other
	Node   string   // the one of this node
	Listen string   // where this node listens for the others; "": Node

	// Folder is the data folder of this node.
	Folder string

	// Secrets are those of the sessions: a process that knows one of them is a node.
	Secrets []string

	// Sync writes each change to the disk before it is acknowledged.
	Sync bool

	Logger *slog.Logger
}

// Check returns what is wrong with the addresses.
func (c Config) Check() error {
	if len(c.Nodes) != 3 && len(c.Nodes) != 5 {
		return fmt.Errorf("a cluster has 3 or 5 nodes, so that a majority is left when one fails; you named %d", len(c.Nodes))
	}
	for i, address := range append(slices.Clone(c.Nodes), c.Listen) {
		host, port, err := net.SplitHostPort(address)
		if i == len(c.Nodes) && address == "" {
			break
		}
		if err != nil || port == "" || port == "0" || host == "" {
			return fmt.Errorf("%q is not the address of a node: write HOST:PORT, such as 10.0.0.1:7700", address)
		}
		if slices.Index(c.Nodes, address) < i && i < len(c.Nodes) {
			return fmt.Errorf("you named %s twice", address)
		}
	}
	if !slices.Contains(c.Nodes, c.Node) {
		return fmt.Errorf("%q is not one of the nodes", c.Node)
	}
	return nil
}

// Here returns the one address that belongs to this machine; "" if there is none, or several.
func Here(nodes []string) (node string) {
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, address := range nodes {
		host, _, _ := net.SplitHostPort(address)
		ip := net.ParseIP(host)
		if !slices.ContainsFunc(mine, func(a net.Addr) bool {
			own, ok := a.(*net.IPNet)
			return ok && ip != nil && own.IP.Equal(ip)
		}) {
			continue
		}
		if node != "" {
			return ""
		}
		node = address
	}
	return node
}

// Node is this process as a node of the cluster.
type Node struct {
	Conn *nats.Conn // to the server inside

	server *embedded.Server
	url    string // the file with the URL
}

// urlFile is the file in the data folder with the URL of the running node, for the commands of an
// operator on the same machine.
const urlFile = "cluster.url"

// Start starts the node, and returns when the majority of the nodes has elected a leader.
func Start(ctx context.Context, c Config) (*Node, error) {
	if c.Listen == "" {
		c.Listen = c.Node
	}
	links, err := linksOf(c.Secrets)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	folder := filepath.Join(c.Folder, "cluster")
	s, err := start(ctx, c, folder, links)
	if err != nil {
		return nil, err
	}
	n := &Node{server: s, url: filepath.Join(c.Folder, urlFile)}
	if n.Conn, err = s.Connect(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := config.WritePrivate(n.url, s.ClientURL()+"\n"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// firstElection is longer than the first election takes, if the nodes do not vote for several. On a busy
// machine it takes longer, so each attempt may take twice as long as the one before.
const firstElection = 1500 * time.Millisecond

// allEnded is how long a node waits until the others have noticed that the election failed.
const allEnded = 500 * time.Millisecond

// start starts the server, and returns it when there is a leader. At the first start of the cluster
// two servers may ask for votes at the same time, and then wait for long before they try again. So
// all begin anew after a short time. They have no data by then.
func start(ctx context.Context, c Config, folder string, links *links) (*embedded.Server, error) {
	for limit := firstElection; ; limit *= 2 {
		first, err := gather(ctx, c, folder, links.tls)
		if err != nil {
			return nil, err
		}
		s, err := embedded.Start(ctx, embedded.Config{
			Name: c.Node, Folder: folder, Listen: c.Listen, Routes: c.Nodes,
			Secret: links.passwords[len(links.passwords)-1], TLS: links.tls,
			SyncAlways: c.Sync, Logger: c.Logger,
			Adjust: func(o *server.Options) { o.CustomRouterAuthentication = links },
		})
		if err != nil {
			return nil, fmt.Errorf("the cluster's node at %s: %w", c.Listen, err)
		}
		limited, cancel := ctx, context.CancelFunc(func() {})
		if first {
			limited, cancel = context.WithTimeout(ctx, limit)
		}
		err = s.WaitForLeader(limited)
		cancel()
		if err == nil {
			return s, nil
		}
		if err := errors.Join(s.Close(), ctx.Err()); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(folder); err != nil {
			return nil, fmt.Errorf("the cluster's data: %w", err)
		}
		backoff.Pause(ctx, allEnded)
	}
}

// URL returns the URL of the node that runs in a data folder; "" if none does.
func URL(folder string) (string, error) {
	url, err := config.ReadPassword(filepath.Join(folder, urlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return url, err
}

// Ready returns nil if this node has all data, so that another one may be stopped.
func (n *Node) Ready() error { return n.server.Ready() }

// Close leaves the cluster. Another node leads then.
func (n *Node) Close() error {
	if n.Conn != nil {
		n.Conn.Close()
	}
	return errors.Join(os.Remove(n.url), n.server.Close())
}

// key derives a key of the cluster from a secret, so that neither shows the other.
func key(secret, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, "nestsession cluster "+purpose, sha256.Size)
}

// links is what nodes prove to each other.
type links struct {
	passwords []string // one for each secret; the last one is sent, all are accepted
	tlsConfig
}

var _ server.Authentication = (*links)(nil)

// linksOf derives it from the secrets. With the last one a node connects to others: when a new one is
// put in front of the others, node by node, all go on knowing each other.
func linksOf(secrets []string) (*links, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret")
	}
	l := &links{}
	for _, secret := range secrets {
		b, err := key(secret, "password")
		if err != nil {
			return nil, err
		}
		l.passwords = append(l.passwords, hex.EncodeToString(b))
	}
	var err error
	l.tlsConfig, err = newTLS(secrets)
	return l, err
}

// Check reports whether another node knows one of the secrets.
func (l *links) Check(c server.ClientAuthentication) bool {
	given := []byte(c.GetOpts().Password)
	ok := 0
	for _, p := range l.passwords {
		ok |= subtle.ConstantTimeCompare([]byte(p), given)
	}
	return ok == 1
}
