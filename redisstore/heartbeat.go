package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

var errNoPrimary = errors.New("no primary of the cluster is connected")

// pulse asks the servers every [Config.Heartbeat] while there is somebody who watches. An
// answer proves that all changes from before it was asked for have been told, since they
// come over the same connection; and asking makes a connection where there is none.
type pulse struct {
	store     *Store
	dismissed map[string]bool // addresses that are connected and no nodes any more
	primaries map[string]bool // addresses that were primaries the last time
}

func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(p.store.config.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		t := p.store.tracking
		if !t.feed.Watched() {
			continue
		}
		asked := time.Now()
		if p.ask(ctx) == nil {
			t.whole(asked)
		}
	}
}

// ask returns when all connections over which a session may have been read have
// answered, and an error if one has not.
func (p *pulse) ask(ctx context.Context) error {
	s := p.store
	if !s.cluster {
		return s.client.Do(ctx, s.b.Arbitrary("PING").Build()).Error()
	}
	nodes := p.nodes()
	type answer struct {
		addr    string
		primary bool
		err     error
	}
	answers := make(chan answer, len(nodes))
	for addr, client := range nodes {
		go func() {
			primary, err := isPrimary(ctx, client)
			answers <- answer{addr, primary, err}
		}()
	}
	var failed error
	primaries := map[string]bool{}
	for range nodes {
		switch a := <-answers; {
		case a.err != nil:
			failed = a.err
		case a.primary:
			primaries[a.addr] = true
		case p.primaries[a.addr]:
			s.tracking.lost() // what was read from it is somebody else's now
		}
	}
	p.primaries = primaries
	if failed == nil && len(primaries) == 0 {
		failed = errNoPrimary
	}
	return failed
}

// nodes are those that are connected. The others are nodes over which nothing was read
// since all were told that they may have missed something. A connection to what is no
// node any more is of no matter either, once they have been told again.
func (p *pulse) nodes() map[string]rueidis.Client {
	connected, nodes := p.store.tracking.connected(), p.store.client.Nodes()
	dismissed, lost := map[string]bool{}, false
	for addr := range connected {
		if nodes[addr] == nil {
			dismissed[addr] = true
			lost = lost || !p.dismissed[addr]
		}
	}
	if p.dismissed = dismissed; lost {
		p.store.tracking.lost()
	}
	for addr := range nodes {
		if !connected[addr] {
			delete(nodes, addr)
		}
	}
	return nodes
}

// isPrimary asks a node of a Cluster. One that is cut off from the others says so after
// its cluster-node-timeout, about when they make another the primary.
func isPrimary(ctx context.Context, client rueidis.Client) (bool, error) {
	b := client.B()
	answers := client.DoMulti(ctx, b.Arbitrary("ROLE").Build(), b.Arbitrary("CLUSTER", "INFO").Build())
	role, err := answers[0].ToArray()
	if err != nil {
		return false, err
	}
	if len(role) == 0 {
		return false, errDown
	}
	if name, err := role[0].ToString(); err != nil || name != "master" {
		return false, err
	}
	text, err := answers[1].ToString()
	if err == nil && field(text, "cluster_state") != "ok" {
		err = errDown
	}
	return true, err
}
