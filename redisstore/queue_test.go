package redisstore

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
)

// Reads and writes have different queues; listings and commands in a Cluster are not batched.
func TestQueues(t *testing.T) {
	t.Parallel()
	var client, other struct{ rueidis.Client }
	s := &Store{client: &client, topology: singleServer{}, reads: newQueue(&client, nil, true), writes: newQueue(&client, nil, false)}
	get := rueidis.Builder{}.Arbitrary("GET").Args("a").Build()
	del := rueidis.Builder{}.Arbitrary("DEL").Args("a").Build()
	if s.queue(&client, true, rueidis.Commands{get}) != s.reads {
		t.Error("a read is not in the reads' queue")
	}
	if s.queue(&client, false, rueidis.Commands{del}) != s.writes {
		t.Error("a write is not in the writes' queue")
	}
	inCluster := &Store{client: &client, topology: &cluster{}, reads: s.reads, writes: s.writes}
	for what, l := range map[string]*batch.Queue[commands]{
		"many commands":             s.queue(&client, true, rueidis.Commands{get, get, get}),
		"a command to another node": s.queue(&other, true, rueidis.Commands{get}),
		"a command in a Cluster":    inCluster.queue(&client, true, rueidis.Commands{get}),
	} {
		if l == s.reads || l == s.writes {
			t.Errorf("%s: in a queue with others", what)
		}
	}
}
