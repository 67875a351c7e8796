package redisstore_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/tests/internal/nearby"
)

// The bars, for the slowest of a hundred, counted from when the writer had its answer:
// until another node's cache, which had the old state, answers with the new one; and until
// a stream on another node ends.
const (
	seenWithin  = 50 * time.Millisecond
	endedWithin = 100 * time.Millisecond
)

func twoNodes(t testing.TB) (one, two *node) {
	c := redisstore.Config{Prefix: newPrefix()}
	o := single(servers.SharedRedis(t))
	one, two = newNode(t, o, c), newNode(t, o, c)
	for _, n := range []*node{one, two} {
		nearby.AwaitHeartbeat(t, n.near)
	}
	return one, two
}

// TestHowSoon prints what it has measured. It is not run beside others.
func TestHowSoon(t *testing.T) {
	one, two := twoNodes(t)
	nearby.TestWithin(t, "a change is seen on another node", nearby.ChangesSeen(t, one.near, two.near, 500), 99, seenWithin)
	nearby.TestWithin(t, "a stream on another node ends", streamsEnded(t, one, two, 500), 99, endedWithin)
}

func BenchmarkChangeSeen(b *testing.B) {
	one, two := twoNodes(b)
	nearby.Report(b, nearby.ChangesSeen(b, one.near, two.near, max(b.N, 1)))
}

func BenchmarkStreamEnded(b *testing.B) {
	one, two := twoNodes(b)
	nearby.Report(b, streamsEnded(b, one, two, max(b.N, 1)))
}

func streamsEnded(t testing.TB, one, two *node, n int) (took []time.Duration) {
	t.Helper()
	for range n {
		ada := visitor{}
		ada.login(one)
		stream := ada.stream(t, two)
		ada.logout(t, one)
		out := time.Now()
		took = append(took, ends(t, stream).Sub(out))
	}
	return took
}
