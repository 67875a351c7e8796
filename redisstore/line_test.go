package redisstore

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/batch"
)

// Reads and writes do not go together, listings and a Cluster's commands with nobody.
func TestLines(t *testing.T) {
	t.Parallel()
	var client, other struct{ rueidis.Client }
	s := &Store{client: &client, reads: exchanges(&client, true), writes: exchanges(&client, false)}
	get := rueidis.Builder{}.Arbitrary("GET").Args("a").Build()
	del := rueidis.Builder{}.Arbitrary("DEL").Args("a").Build()
	if s.line(&client, true, rueidis.Commands{get}) != s.reads {
		t.Error("a read does not stand in the reads' line")
	}
	if s.line(&client, false, rueidis.Commands{del}) != s.writes {
		t.Error("a write does not stand in the writes' line")
	}
	cluster := &Store{client: &client, cluster: true, reads: s.reads, writes: s.writes}
	for what, l := range map[string]*batch.Queue[exchange]{
		"many commands":             s.line(&client, true, rueidis.Commands{get, get, get}),
		"a command to another node": s.line(&other, true, rueidis.Commands{get}),
		"a command in a Cluster":    cluster.line(&client, true, rueidis.Commands{get}),
	} {
		if l == s.reads || l == s.writes {
			t.Errorf("%s: in a line with others", what)
		}
	}
}
