package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/cluster"
	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/store"
)

// clusterFlags make several servers one, without a database.
type clusterFlags struct {
	Cluster       []string `placeholder:"ADDRESS" env:"NESTSESSION_CLUSTER" help:"Form a cluster that keeps users and sessions without a database. The value is the list of the addresses at which its 3 or 5 nodes reach each other, separated by commas and the same on all nodes, such as 10.0.0.1:7700,10.0.0.2:7700,10.0.0.3:7700. All nodes need the same secrets; keys derived from the secrets encrypt and authenticate the connections."`
	ClusterNode   string   `placeholder:"ADDRESS" env:"NESTSESSION_CLUSTER_NODE" help:"Which of these addresses is this node's. It must stay the same after a restart. Default: the one that belongs to this machine."`
	ClusterListen string   `placeholder:"ADDR" env:"NESTSESSION_CLUSTER_LISTEN" help:"Listen at this address for the other nodes. Default: this node's address."`
	ClusterSync   bool     `env:"NESTSESSION_CLUSTER_SYNC" help:"Acknowledge a change only after the majority has written it to disk, so that it survives if all machines lose power at once. Default: off. A change then survives the end of all processes and a power failure of one machine; if all machines lose power at once, the changes of up to two minutes are lost."`
}

// clusterHelp is the help about clusters.
const clusterHelp = `With --cluster, three processes on three machines form one server, and any of them can answer any request:

    nestsession serve --cluster 10.0.0.1:7700,10.0.0.2:7700,10.0.0.3:7700 --secret-file FILE --address 0.0.0.0:8080

The secret file is the same on each machine. The first start needs all three. Afterwards one of them may be down or be replaced, with its old disk or ` +
	`with an empty one, and nobody is logged out. Of five processes two may be down. A node that cannot reach the majority answers 503. ` +
	`To restart all of them, restart one at a time, and wait until "nestsession health" prints "ok" for it. The commands for sessions and accounts use the node that runs in the data folder of --data.`

func (f *clusterFlags) config() cluster.Config {
	c := cluster.Config{Nodes: f.Cluster, Node: f.ClusterNode, Listen: f.ClusterListen, Sync: f.ClusterSync}
	if c.Node == "" {
		c.Node = cluster.Here(f.Cluster)
	}
	return c
}

// validateCluster refuses what cannot be together with a cluster.
func (c *serve) validateCluster() error {
	if len(c.Cluster) == 0 {
		if c.ClusterNode != "" || c.ClusterListen != "" || c.ClusterSync {
			return errors.New("--cluster-node, --cluster-listen and --cluster-sync need --cluster: add --cluster with the addresses of all nodes, or leave these out")
		}
		return nil
	}
	config := c.config()
	if config.Node == "" {
		return fmt.Errorf("--cluster-node: name the address of this node, such as --cluster-node %s: none or several of the addresses belong to this machine", c.Cluster[0])
	}
	switch {
	case c.Store != "" || c.Users != "":
		return errors.New("--cluster keeps users and sessions in the cluster: leave out --store and --users, or leave out --cluster")
	case c.Express:
		return errors.New("--express: no npm package for express-session reads the sessions of a cluster: leave out one of --express and --cluster")
	case !(secretSource{file: c.SecretFile}).named():
		return fmt.Errorf("--cluster: all nodes need the same secrets: make a file with `nestsession secret new --write FILE`, copy it to each machine, and name it with --secret-file; or set $%s", secretsVariable)
	}
	if err := config.Check(); err != nil {
		return fmt.Errorf("--cluster: %w", err)
	}
	return nil
}

// node is the node of the cluster in this process, and what belongs to it; nil without --cluster.
type node struct {
	*cluster.Node
	majority *cluster.Majority
}

// forever is how long a node waits for the others. They may be on their way.
const forever = 100 * 365 * 24 * time.Hour

// options are for what is in the cluster, if there is one.
func (n *node) options(o stores.Options) stores.Options {
	if n != nil {
		o.Conn, o.Timeout, o.Ready = n.Conn, forever, n.Ready
	}
	return o
}

// watch begins to ask whether the majority can be reached.
func (n *node) watch(kept *stores.Opened) {
	if n == nil {
		return
	}
	if p, ok := store.As[store.Pinger](kept.Store); ok {
		n.majority = cluster.WatchMajority(p.Ping)
	}
}

// handler answers 503 in place of next while the majority cannot be reached.
func (n *node) handler(next http.Handler, pages *site) http.Handler {
	if n == nil || n.majority == nil {
		return next
	}
	return n.majority.Handler(next, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.appFor(r).Unavailable(w, r)
	}))
}

// unwatch ends what uses the store of watch.
func (n *node) unwatch() {
	if n != nil && n.majority != nil {
		_ = n.majority.Close()
	}
}

// Close leaves the cluster.
func (n *node) Close() error {
	if n == nil {
		return nil
	}
	return n.Node.Close()
}

// startNode starts the node, if there is a cluster.
func (c *serve) startNode(ctx context.Context, w io.Writer, at net.Addr, p *place, log *slog.Logger) (*node, error) {
	if len(c.Cluster) == 0 {
		return nil, nil //nolint:nilnil // its methods do nothing
	}
	announceAddress(w, at)
	fmt.Fprintf(w, "  waiting   for the majority of the nodes %s\n", strings.Join(c.Cluster, ", "))
	config := c.config()
	config.Folder, config.Secrets, config.Logger = p.folder, p.secrets, log
	started, err := cluster.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	return &node{Node: started}, nil
}

// meanwhile answers 503 until stop is called, after which the listener can be used again.
func meanwhile(ln net.Listener) (stop func()) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return func() {}
	}
	server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "This server is waiting for the other nodes of its cluster.", http.StatusServiceUnavailable)
	}), slog.New(slog.DiscardHandler))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(lent{tcp})
	}()
	return sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		_ = server.Close()
		<-ended
		_ = tcp.SetDeadline(time.Time{})
	})
}

// lent is a listener that Close does not close, but only ends Accept.
type lent struct{ *net.TCPListener }

func (l lent) Close() error { return l.SetDeadline(time.Unix(1, 0)) }

// runningNode returns the target of the node that runs in a data folder; nil if none does.
func runningNode(folder string) (*storeurl.Target, error) {
	url, err := cluster.URL(folder)
	if err != nil || url == "" {
		return nil, err
	}
	return storeurl.Parse(url, false)
}
