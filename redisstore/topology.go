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

// node is a primary of a Cluster, as it sees itself.
type node struct {
	client rueidis.Client
	claim  string // its id, the epoch of its configuration, its slots
}

var (
	errMoving   = errors.New("the cluster is moving slots between nodes, so that some sessions could be missed: list again when that is done")
	errFailover = errors.New("nodes of the cluster do not agree on who has which slots, as during a failover: list again")
	errMoved    = errors.New("the cluster has changed meanwhile, so that some sessions could be missed: list again")
)

// primaries asks each node that rueidis knows of, and checks that together they
// have all slots.
func (s *Store) primaries(ctx context.Context) ([]node, error) {
	var nodes []node
	for _, c := range s.client.Nodes() {
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
			text, err := s.do(ctx, n.client, n.client.B().Arbitrary("CLUSTER", "NODES").Build()).ToString()
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
		s.refresh(ctx)
		if failed == nil {
			failed = errFailover
		}
		return nil, fmt.Errorf("%d of %d slots are with no node that answers: %w", slots-count, slots, failed)
	}
	slices.SortFunc(primaries, func(a, b node) int { return cmp.Compare(a.claim, b.claim) })
	return primaries, nil
}

// refresh makes rueidis look for the nodes anew, which it does when a command
// fails: it is sent some that go all over the slots.
func (s *Store) refresh(ctx context.Context) {
	const many = 500
	cmds := make(rueidis.Commands, many)
	for i := range cmds {
		cmds[i] = read(s.b, "EXISTS", ownerKeys+number(int64(i)))
	}
	s.read(ctx, s.client, cmds)
}

// unchanged checks that the primaries are the same as before, with the same slots.
func (s *Store) unchanged(ctx context.Context, before []node) error {
	after, err := s.primaries(ctx)
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
