package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// topology is what differs between a [singleServer] and a [cluster].
type topology interface {
	// pipelines reports whether commands of several callers are sent in one pipeline.
	pipelines() bool

	// checkMode checks the mode that a server reports.
	checkMode(mode string) error

	// ping checks that the servers answer, with one attempt.
	ping(ctx context.Context) error

	// prepare sends what speeds up later calls.
	prepare(ctx context.Context)

	// primaries returns the nodes that together have all keys, and unchanged checks that
	// they still are the same.
	primaries(ctx context.Context) ([]node, error)
	unchanged(ctx context.Context, before []node) error

	// evictions describes how many keys were evicted, by the run id of a server's process
	// and its count. It is "" if that says nothing of the other servers.
	evictions(runID, count string) string

	// heartbeat returns when all connections over which a session may have been read have
	// answered, and an error if one has not.
	heartbeat(ctx context.Context) error
}

// setTopology sets what depends on the client's kind. Half a hash tag in a prefix could
// become a whole one by what an id or an owner contains.
func (s *Store) setTopology() error {
	prefix := s.config.Prefix
	if s.client.Mode() != rueidis.ClientModeCluster {
		s.topology, s.placement = singleServer{s}, colocated{s}
		return nil
	}
	s.topology, s.placement = &cluster{s: s}, separate{s}
	if tagged(prefix) {
		s.placement = colocated{s}
	} else if strings.ContainsAny(prefix, "{}") {
		return fmt.Errorf("redisstore: Config.Prefix %q holds a brace and no hash tag: write {…} with something in it, or leave the brace out", prefix)
	}
	return nil
}

// singleServer is one server, or the primary that Sentinel names.
type singleServer struct{ s *Store }

func (t singleServer) pipelines() bool { return true }

func (t singleServer) checkMode(mode string) error {
	if mode == "cluster" {
		return errors.New("redisstore: the server is a node of a Cluster, the client one for a single server: leave out rueidis.ClientOption.ForceSingleClient")
	}
	return nil
}

// ping does not use [Store.read], which would try again and hide the error.
func (t singleServer) ping(ctx context.Context) error {
	return t.s.do(ctx, t.s.client, t.s.b.Arbitrary("PING").Build()).Error()
}

func (t singleServer) prepare(ctx context.Context) { t.s.loadScripts(ctx) }

func (t singleServer) primaries(context.Context) ([]node, error) {
	return []node{{client: t.s.client}}, nil
}

func (t singleServer) unchanged(context.Context, []node) error { return nil }

func (t singleServer) evictions(runID, count string) string {
	if runID == "" || count == "" {
		return ""
	}
	return runID + ":" + count
}

func (t singleServer) heartbeat(ctx context.Context) error {
	return t.s.client.Do(ctx, t.s.b.Arbitrary("PING").Build()).Error()
}
