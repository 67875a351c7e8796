package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

const slots = 16384

// node is a primary. The claim of a Cluster's node is the node's own view.
type node struct {
	client rueidis.Client
	claim  string // its id, configuration epoch and slots; "" for a single server
}

var (
	errDown      = errors.New("the cluster does not serve all slots")
	errNoPrimary = errors.New("no primary of the cluster is connected")

	errMoving   = errors.New("the cluster is moving slots between nodes, so that some sessions could be missed: list again when that is done")
	errFailover = errors.New("nodes of the cluster do not agree on who has which slots, as during a failover: list again")
	errMoved    = errors.New("the cluster has changed meanwhile, so that some sessions could be missed: list again")
)

// cluster is a Redis Cluster.
type cluster struct {
	s *Store

	// For heartbeat: addresses that are connected and are nodes no more, and those that
	// were primaries the last time.
	removed       map[string]bool
	lastPrimaries map[string]bool
}

// pipelines returns false: commands in one pipeline would wait for the slowest server.
func (t *cluster) pipelines() bool { return false }

func (t *cluster) checkMode(string) error { return nil }

// ping checks that one node reports that the whole Cluster serves. It does not use
// [Store.read], which would try again and hide the error.
func (t *cluster) ping(ctx context.Context) error {
	text, err := t.s.do(ctx, t.s.client, t.s.b.Arbitrary("CLUSTER", "INFO").Build()).ToString()
	if err == nil && field(text, "cluster_state") != "ok" {
		err = errDown
	}
	return err
}

// prepare does nothing: a node gets a script when it first runs it.
func (t *cluster) prepare(context.Context) {}

func (t *cluster) evictions(string, string) string { return "" }

// primaries polls each node that rueidis knows, and checks that together they have all slots.
func (t *cluster) primaries(ctx context.Context) ([]node, error) {
	var nodes []node
	for _, c := range t.s.client.Nodes() {
		nodes = append(nodes, node{client: c})
	}
	type answer struct {
		text string
		err  error
	}
	answers := make([]chan answer, len(nodes))
	for i, n := range nodes {
		answers[i] = make(chan answer, 1)
		go func() {
			text, err := t.s.do(ctx, n.client, n.client.B().Arbitrary("CLUSTER", "NODES").Build()).ToString()
			answers[i] <- answer{text, err}
		}()
	}
	var primaries []node
	var failed error
	var owned [slots]bool
	count := 0
	for i, n := range nodes {
		a := <-answers[i]
		if a.err != nil {
			failed = a.err // if it has slots, they will be missing
			continue
		}
		claim, ranges, err := parseMyself(a.text)
		if err != nil {
			return nil, err
		}
		for _, r := range ranges {
			for slot := r[0]; slot <= r[1]; slot++ {
				if owned[slot] {
					return nil, errFailover
				}
				owned[slot] = true
				count++
			}
		}
		if len(ranges) > 0 {
			n.claim = claim
			primaries = append(primaries, n)
		}
	}
	if count < slots {
		t.refresh(ctx)
		if failed == nil {
			failed = errFailover
		}
		return nil, fmt.Errorf("%d of %d slots are with no node that answers: %w", slots-count, slots, failed)
	}
	slices.SortFunc(primaries, func(a, b node) int { return cmp.Compare(a.claim, b.claim) })
	return primaries, nil
}

// refresh makes rueidis look up the nodes again, which it does when a command fails: it sends
// commands to many slots.
func (t *cluster) refresh(ctx context.Context) {
	const many = 500
	cmds := make(rueidis.Commands, many)
	for i := range cmds {
		cmds[i] = read(t.s.b, "EXISTS", ownerKeys+number(int64(i)))
	}
	t.s.read(ctx, t.s.client, cmds)
}

// unchanged checks that the primaries are the same as before, with the same slots.
func (t *cluster) unchanged(ctx context.Context, before []node) error {
	after, err := t.primaries(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(before, after, func(a, b node) bool { return a.claim == b.claim }) {
		return errMoved
	}
	return nil
}

// parseMyself reads the node's own line in the answer of CLUSTER NODES:
//
//	<id> <address> myself,master - <ping> <pong> <epoch> <link> <slot> <slot>-<slot> …
//
// with a last part in brackets for each slot that is moving.
func parseMyself(text string) (claim string, ranges [][2]int, err error) {
	for line := range lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || !slices.Contains(strings.Split(f[2], ","), "myself") {
			continue
		}
		for _, part := range f[8:] {
			if strings.HasPrefix(part, "[") {
				return "", nil, errMoving
			}
			first, last, isRange := strings.Cut(part, "-")
			if !isRange {
				last = first
			}
			a, err1 := strconv.Atoi(first)
			b, err2 := strconv.Atoi(last)
			if err1 != nil || err2 != nil || a < 0 || b >= slots {
				return "", nil, fmt.Errorf("CLUSTER NODES names the slots %q", part)
			}
			ranges = append(ranges, [2]int{a, b})
		}
		return strings.Join(append([]string{f[0], f[6]}, f[8:]...), " "), ranges, nil
	}
	return "", nil, errors.New("CLUSTER NODES does not name the node that answers")
}

func (t *cluster) heartbeat(ctx context.Context) error {
	nodes := t.connectedNodes()
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
		case t.lastPrimaries[a.addr]:
			t.s.tracking.missed() // what was read from it is another node's now
		}
	}
	t.lastPrimaries = primaries
	if failed == nil && len(primaries) == 0 {
		failed = errNoPrimary
	}
	return failed
}

// connectedNodes returns the nodes that have a connection. Nothing was read from the others
// since the watchers were last notified that they may have missed events. Nor is a
// connection to a removed node polled, once the watchers were notified of the removal.
func (t *cluster) connectedNodes() map[string]rueidis.Client {
	connected, nodes := t.s.tracking.connected(), t.s.client.Nodes()
	removed, lost := map[string]bool{}, false
	for addr := range connected {
		if nodes[addr] == nil {
			removed[addr] = true
			lost = lost || !t.removed[addr]
		}
	}
	if t.removed = removed; lost {
		t.s.tracking.missed()
	}
	for addr := range nodes {
		if !connected[addr] {
			delete(nodes, addr)
		}
	}
	return nodes
}

// isPrimary polls a node. One that is cut off from the others reports that after its
// cluster-node-timeout, which is about when they promote another.
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
